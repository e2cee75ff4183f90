"""Promises, totals, memory, and the page that the matrix is written into."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from cluster.lab.verify import matrix, memory, render
from cluster.lab.verify.report import Counts, Example, FlowReport, MemoryReport, Report, StepReport, broken, total
from cluster.lab.verify.scenario import Promises
from cluster.trace.hop import Event, Hop

MIB = 1 << 20


def promised(counts: Counts, **promises: object) -> list[str]:
    return [each.promise for each in broken(Promises.model_validate(promises), counts, [])]


@pytest.mark.parametrize("name", ["lost", "bounced", "out_of_order", "duplicated"])
def test_by_default_nothing_may_go_wrong(name: str) -> None:
    assert promised(Counts(sent=9, delivered=9)) == []
    assert promised(Counts(**{name: 1})) == [name]
    assert promised(Counts(**{name: 1}), **{name: 1}) == []
    assert promised(Counts(**{name: 2}), **{name: 1}) == [name]
    assert promised(Counts(**{name: 2}), **{name: "any"}) == []


@pytest.mark.parametrize("name", ["lost_by_fault", "duplicated_same_id"])
def test_what_is_allowed_unless_it_is_forbidden(name: str) -> None:
    assert promised(Counts(**{name: 5})) == []
    assert promised(Counts(**{name: 5}), **{name: 0}) == [name]


def test_longest_gap() -> None:
    assert promised(Counts(longest_gap_s=2.0)) == []
    assert promised(Counts(longest_gap_s=2.0), longest_gap="2s") == []
    assert promised(Counts(longest_gap_s=2.1), longest_gap="2s") == ["longest_gap"]


def test_memory_growth_is_from_the_middle_to_the_end() -> None:
    nodes = [MemoryReport("s1", 10 * MIB, 50 * MIB, 60 * MIB), MemoryReport("s2", 10 * MIB, 50 * MIB, 50 * MIB)]
    found = broken(Promises.model_validate({"memory_growth": "10%"}), Counts(), nodes)
    assert [each.text for each in found] == ["s1 grew by 20%, and 10% were allowed"]
    assert broken(Promises.model_validate({"memory_growth": "20%"}), Counts(), nodes) == []
    assert broken(Promises(), Counts(), nodes) == []


def test_the_total_adds_up_and_keeps_the_longest_gap() -> None:
    one, other = Counts(1, 2, 3, 4, 5, 6, 7, 8, 9, 0.5), Counts(10, 20, 30, 40, 50, 60, 70, 80, 90, 0.25)
    assert total([FlowReport("a", one), FlowReport("b", other)]) == Counts(11, 22, 33, 44, 55, 66, 77, 88, 99, 0.5)


def test_memory_at_start_middle_and_end() -> None:
    samples: list[memory.Sample] = [(float(at_s), {"s1": at_s * MIB}) for at_s in range(1, 102)]
    samples[50] = (51.0, {})  # it was down
    assert memory.reports(samples) == [MemoryReport("s1", 6 * MIB, 51 * MIB, 96 * MIB)]
    assert memory.reports([]) == []
    assert memory.reports([(0.0, {"s1": 5})]) == [MemoryReport("s1", 5, 5, 5)]


def sample() -> Report:
    hop = Hop("run.0.7", "s1", Event.RECEIVED, 0, "message", "romeo@montague.lit", "juliet@capulet.lit", 300)
    counts = Counts(10_000, 10_000, 9_999, lost=1, duplicated=1, duplicated_same_id=2, longest_gap_s=1.5)
    flow = FlowReport("romeo → juliet", counts, [Example("lost", "run.0.7", "number 7", [hop])])
    report = Report("kill-s2", "SIGKILL of S2", "verona", 12.0, [flow], counts, [StepReport("kill s2", 3.0, 1.5)])
    report.broken = broken(Promises.model_validate({"duplicated": "any"}), counts, [])
    return report


def test_a_report_for_people_has_what_happened_and_the_route_of_an_example() -> None:
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(render.rich(sample()))
    text = console.export_text()
    for words in (
        "kill-s2: SIGKILL of S2",
        "3.00 s  kill s2, over at 4.50 s",
        "10,000",
        "1.50 s",
        "lost, romeo → juliet",
        "└── s1",
        "BROKEN  lost: 1, and at most 0 were allowed",
    ):
        assert words in text


def test_a_report_for_programs() -> None:
    found = json.loads(render.json([sample()]))[0]
    assert found["total"]["lost"] == 1
    assert found["flows"][0]["examples"][0]["hops"][0]["event"] == "received"
    assert found["broken"][0]["promise"] == "lost"


def test_the_matrix_has_a_row_for_each_scenario_and_leaves_the_rest_of_the_page() -> None:
    page = matrix.updated(f"# Title\n\n{matrix.BEGIN}\nold\n{matrix.END}\n\nEnd.\n", [sample()])
    assert page.startswith(f"# Title\n\n{matrix.BEGIN}\n\n| what was done | sent |")
    assert page.endswith(f"|\n\n{matrix.END}\n\nEnd.\n")
    row = next(line for line in page.splitlines() if "SIGKILL" in line)
    assert row == (
        "| SIGKILL of S2 | 10,000 | 10,000 | 9,999 | 0 | 1 | 0 | 3 | 2 | 0 | 1.50 s "
        "| broken: lost: 1, and at most 0 were allowed |"
    )
    assert matrix.updated(page, [sample()]) == page


def test_a_page_without_the_markers_is_left_alone() -> None:
    with pytest.raises(ValueError, match="it needs the lines"):
        matrix.updated("# Title\n", [sample()])
