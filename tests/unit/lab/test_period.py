"""A part of a time line, as tables and files have it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest

from cluster.base.histogram import Histogram, Outcomes
from cluster.lab.timeline.following import next_share
from cluster.lab.timeline.period import Period, Times, period, write_csv
from cluster.lab.timeline.recorder import pause_s
from cluster.lab.timeline.rows import LinkRow, Mark, NodeRow, Recorded, Row

BEGIN = 1_000
RUNNING = NodeRow("running", 5.0, 1 << 20)


def times(*ms: float) -> Histogram:
    found = Histogram()
    for each in ms:
        found.add(each)
    return found


def row(at: float, *links: tuple[str, int, int], **stretches: Sequence[float]) -> Row:
    """The row that ends then."""
    named = {name.replace("_", "→"): times(*ms) for name, ms in stretches.items()}
    return Row(at, 1.0, {"s1": RUNNING}, {name: LinkRow(*counts) for name, *counts in links}, named)


def whole(
    rows: Sequence[Row], marks: Sequence[Mark] = (), measured: dict[str, dict[int, Outcomes]] | None = None
) -> Period:
    return period("a run", "verona", Recorded([*rows], [*marks]), BEGIN + 0.4, BEGIN + 3.2, measured or {})


def test_a_row_is_of_the_second_at_whose_end_it_was_written() -> None:
    found = whole([row(BEGIN + at) for at in (0.002, 1.003, 1.998, 3.2, 4.001, 5.001)])
    assert [second.second for second in found.seconds] == [0, 1, 2, 3]


def test_what_was_measured_lies_in_the_second_in_which_it_began() -> None:
    measured = {
        "deliver": {
            BEGIN + 1: Outcomes(times(4.0, 4.0)),
            BEGIN + 2: Outcomes(times(), 3),
            BEGIN - 5: Outcomes(times(1.0)),
        }
    }
    found = whole([row(BEGIN + 2.001)], measured=measured)
    by_second = {second.second: second for second in found.seconds}
    assert by_second[1].measured["deliver"].count == 2
    assert by_second[1].measured["deliver"].p99_ms == pytest.approx(4.0, rel=0.03)
    assert by_second[1].nodes
    assert by_second[2].measured["deliver"] == Times(0, None, None, 3)
    assert not by_second[2].nodes  # nothing was recorded in it


def test_where_the_time_went_over_all_seconds() -> None:
    found = whole([row(BEGIN + 1.0, s1=[1, 1], s1_s2=[3], s10=[9], s2=[2]), row(BEGIN + 2.0, s1=[1, 100])])
    assert [total.name for total in found.hops] == ["s1", "link s1→s2", "s2", "s10"]
    first = found.hops[0]
    assert first.count == 4
    assert first.p50_ms == pytest.approx(1.0, rel=0.03)
    assert first.max_ms == first.p99_ms == pytest.approx(100, rel=0.03)


def test_marks_of_other_times_are_left_out() -> None:
    marks = [Mark(BEGIN + at, f"kill s{at}") for at in (-1, 0, 3, 4)]
    assert [mark.what for mark in whole([], marks).marks] == ["kill s0", "kill s3"]


def test_a_row_for_each_second_in_csv() -> None:
    marks = [Mark(BEGIN + 1.2, "kill s2"), Mark(BEGIN + 1.3, "s2 is restarting")]
    measured = {"deliver": {BEGIN + 1: Outcomes(times(4.0), 1)}}
    file = io.StringIO()
    write_csv(file, whole([row(BEGIN + 1.0), row(BEGIN + 2.0, ("s1→s2", 3, 7), s1_s2=[3])], marks, measured))
    first, second = csv.DictReader(io.StringIO(file.getvalue()))
    assert (first["second"], first["s1 state"], first["link s1→s2 waiting"]) == ("0", "running", "")
    assert second["marks"] == "kill s2; s2 is restarting"
    assert (second["link s1→s2 batches"], second["link s1→s2 waiting"], second["link s1→s2 count"]) == ("3", "7", "1")
    assert (second["deliver count"], second["deliver failed"]) == ("1", "1")
    assert (second["s1 cpu_percent"], second["s1 memory_bytes"]) == ("5.0", str(1 << 20))


def test_looks_come_at_the_end_of_whole_seconds() -> None:
    assert pause_s(100.25, 0.001) == pytest.approx(0.75)
    assert pause_s(100.0, 0.001) == pytest.approx(1.0)
    assert pause_s(100.25, 0.050) == pytest.approx(2.75)  # it would take more than 2 % of a core


@pytest.mark.parametrize(
    ("every", "stanzas", "expected"), [(10, 4_000, 100), (100, 400, 100), (10, 4, 1), (1, 0, 1), (1, 400, 1)]
)
def test_about_a_hundred_stanzas_a_second_are_followed(every: int, stanzas: int, expected: int) -> None:
    assert next_share(every, stanzas, 4.0) == expected


def test_without_rows_the_share_stays() -> None:
    assert next_share(10, 0, 0.0) == 10
