"""Promises, totals, memory, and the page that the matrix is written into."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.etree import ElementTree

import pytest
from rich.console import Console

from cluster.lab.verify import matrix, memory, render
from cluster.lab.verify.checker import Checker
from cluster.lab.verify.faultlog import FaultLog
from cluster.lab.verify.junit import junit
from cluster.lab.verify.progress import FILE_EVERY_S, Progress
from cluster.lab.verify.promises import Promises
from cluster.lab.verify.records import Arrival, FlowRecord, Leg
from cluster.lab.verify.report import (
    BreakReport,
    Counts,
    Example,
    FlowReport,
    Latency,
    MemoryReport,
    Report,
    Silence,
    StepReport,
    broken,
    failures,
    total,
)
from cluster.trace.hop import Event, Hop

MIB = 1 << 20


def promised(counts: Counts, **promises: object) -> list[str]:
    return [each.promise for each in broken(Promises.model_validate(promises), counts, [])]


@pytest.mark.parametrize("name", ["lost", "bounced", "altered", "misdelivered", "out_of_order", "duplicated"])
def test_by_default_nothing_may_go_wrong(name: str) -> None:
    assert promised(Counts(sent=9, delivered=9)) == []
    assert promised(Counts(**{name: 1})) == [name]
    assert promised(Counts(**{name: 1}), **{name: 1}) == []
    assert promised(Counts(**{name: 2}), **{name: 1}) == [name]
    assert promised(Counts(**{name: 2}), **{name: "any"}) == []


def test_what_a_fault_loses_is_allowed_unless_it_is_forbidden() -> None:
    assert promised(Counts(lost_by_fault=5)) == []
    assert promised(Counts(lost_by_fault=5), lost_by_fault=0) == ["lost_by_fault"]


def test_copies_with_the_same_id_have_to_be_explained_unless_there_is_a_limit() -> None:
    explained, unexplained = Counts(duplicated_same_id=5), Counts(duplicated_same_id=5, unexplained=1)
    assert promised(explained) == []
    assert promised(explained, duplicated_same_id="explained") == []
    assert promised(unexplained) == ["duplicated_same_id"]
    assert promised(unexplained, duplicated_same_id=5) == promised(unexplained, duplicated_same_id="any") == []
    assert promised(explained, duplicated_same_id=4) == ["duplicated_same_id"]


def test_a_scenario_may_say_what_must_not_hold() -> None:
    found = broken(Promises(), Counts(lost=3, bounced=1), [])
    assert [each.promise for each in failures(found, [])] == ["lost", "bounced"]
    assert [each.promise for each in failures(found, ["lost"])] == ["bounced"]
    assert failures(found, ["lost", "bounced"]) == []
    [kept] = failures([], ["lost"])
    assert (kept.promise, kept.text) == ("lost", "lost: was to be broken, and was kept")


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
    one, other = (
        Counts(sent=1, delivered=3, lost=5, longest_gap_s=0.5),
        Counts(sent=10, delivered=30, longest_gap_s=0.25),
    )
    found = total([FlowReport("a", one), FlowReport("b", other)])
    assert found == Counts(sent=11, delivered=33, lost=5, longest_gap_s=0.5)


def test_a_carbon_is_no_further_message_but_one_that_is_missing_is_lost() -> None:
    carbon = FlowReport("a, carbon", Counts(sent=4, delivered=3, lost=1, longest_gap_s=9.0), is_first=False)
    assert total([FlowReport("a", Counts(sent=4, delivered=4)), carbon]) == Counts(sent=4, delivered=4, lost=1)


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
    flow.latency, flow.silences = Latency(1.0, 2.0, 3.0, 4.0, 1500.0), [Silence(3.0, 1.5)]
    report = Report("kill-s2", "SIGKILL of S2", "verona", 12.0, [flow], counts, 7, [StepReport("kill s2", 3.0, 1.5)])
    report.breaks = [BreakReport("juliet@capulet.lit/a", 3.0, 1.2, True, 11, 4)]
    report.breaks.append(BreakReport("romeo@montague.lit/b", 5.0, None, False, 99, 0))
    report.broken = broken(Promises.model_validate({"duplicated": "any"}), counts, [])
    report.failures = failures(report.broken, [])
    return report


def shown(report: Report) -> str:
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(render.rich(report))
    return console.export_text()


def test_a_report_for_people_has_what_happened_and_the_route_of_an_example() -> None:
    text = shown(sample())
    for words in (
        "kill-s2: SIGKILL of S2 (lab verona, 12.0 s, seed 7)",
        "3.00 s  kill s2, over at 4.50 s",
        "10,000",
        "1.50 s",
        "1,500.0",
        "silences, romeo → juliet: 1.50 s from 3.00 s on",
        "juliet@capulet.lit/a broke and was resumed: after 1.20 s and 11 failed tries, 4 stanzas sent again",
        "romeo@montague.lit/b broke, and never came back (99 tries)",
        "lost, romeo → juliet",
        "└── s1",
        "BROKEN  lost: 1, and at most 0 were allowed",
    ):
        assert words in text


def test_a_table_has_room_for_the_names_of_its_flows() -> None:
    text = shown(sample())
    heads = next(line for line in text.splitlines() if line.split()[:1] == ["flow"])
    assert re.split(r"  +", heads.strip()) == [
        "flow", "sent", "acknowledged", "delivered", "bounced", "lost", "duplicated", "of these, same stanza-id",
        "longest gap",
    ]  # fmt: skip
    assert "0 in every flow: lost by a fault, altered, misdelivered, out of order" in text


def test_where_all_is_as_promised_one_example_of_each_fate_is_shown() -> None:
    report = sample()
    report.flows[0].examples = [Example(fate, "id", f"number {at}") for at in range(3) for fate in ("bounced", "lost")]
    assert shown(report).count("number") == 6
    report.broken = report.failures = []
    text = shown(report)
    assert [line.strip() for line in text.splitlines() if "number" in line] == [
        "bounced, romeo → juliet: number 0", "lost, romeo → juliet: number 0",
    ]  # fmt: skip
    assert "4 more examples of what may happen here are in the output of `--format json`" in text


def test_a_report_for_people_says_what_was_to_be_broken() -> None:
    report = sample()
    report.expected = ["lost", "bounced"]
    report.failures = failures(report.broken, report.expected)
    text = shown(report)
    assert "as expected, broken  lost: 1" in text
    assert "NOT BROKEN  bounced: was to be broken, and was kept" in text
    assert "all promises were kept" not in text


def test_a_report_for_programs() -> None:
    found = json.loads(render.json([sample()]))[0]
    assert found["total"]["lost"] == 1
    assert found["flows"][0]["examples"][0]["hops"][0]["event"] == "received"
    assert found["flows"][0]["latency"]["p99_ms"] == 3.0
    assert found["broken"][0]["promise"] == found["failures"][0]["promise"] == "lost"


def test_a_report_for_continuous_integration() -> None:
    report = sample()
    report.flows[0].examples[0].note = "came back with \x00 and \ufffe"
    suite = ElementTree.fromstring(junit([report]))[0]
    assert (suite.get("name"), suite.get("failures")) == ("kill-s2", "1")
    assert suite.get("tests") == str(len(suite)) == str(len(Promises.model_fields))
    [failed] = [case for case in suite if len(case)]
    assert failed.get("name") == "lost"
    assert failed[0].get("message") == "lost: 1, and at most 0 were allowed"
    assert "lost, romeo → juliet: came back with" in (failed[0].text or "")


def test_a_row_for_each_stanza() -> None:
    leg = Leg(FlowRecord("romeo → juliet", "run.0."))
    for number in range(3):
        leg.flow.send(float(number))
    leg.arrive(Arrival(0, 1, 0.25))
    leg.arrive(Arrival(2, 1, 2.5, "body is empty"))
    checker = Checker(leg, FaultLog())
    checker.read()
    checker.read_missing({})
    file = io.StringIO()
    render.write_csv(file, "kill-s2", [checker], with_head=True)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [(row["id"], row["fate"], row["latency_ms"]) for row in rows] == [
        ("run.0.0", "delivered", "250.000"),
        ("run.0.1", "lost", ""),
        ("run.0.2", "altered", "500.000"),
    ]
    assert rows[2]["note"].endswith("and body is empty")


def test_progress_is_shown_now_and_then_and_when_a_step_begins_or_ends() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.begin("kill-s2", 10.0)
    for tenth in range(111):
        progress.show(tenth / 10, tenth, tenth, ["kill s2"] if 30 <= tenth < 41 else [])
    progress.end()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "kill-s2: 0.0 s of 10 s, 0 sent, 0 arrived"
    assert "kill-s2: 3.0 s of 10 s, 30 sent, 30 arrived; kill s2" in lines
    assert "kill-s2: 4.1 s of 10 s, 41 sent, 41 arrived" in lines
    assert len(lines) <= 4 + 11 / FILE_EVERY_S


def test_the_matrix_has_a_row_for_each_scenario_and_leaves_the_rest_of_the_page() -> None:
    page = matrix.updated(f"# Title\n\n{matrix.BEGIN}\nold\n{matrix.END}\n\nEnd.\n", [sample()])
    assert page.startswith(f"# Title\n\n{matrix.BEGIN}\n\n| what was done | sent |")
    assert page.endswith(f"|\n\n{matrix.END}\n\nEnd.\n")
    row = next(line for line in page.splitlines() if "SIGKILL" in line)
    assert row == (
        "| SIGKILL of S2 | 10,000 | 10,000 | 9,999 | 0 | 1 | 0 | 0 | 0 | 3 | 2 | 0 | 1.50 s "
        "| broken: lost: 1, and at most 0 were allowed |"
    )
    assert matrix.updated(page, [sample()]) == page


def test_a_page_without_the_markers_is_left_alone() -> None:
    with pytest.raises(ValueError, match="it needs the lines"):
        matrix.updated("# Title\n", [sample()])
