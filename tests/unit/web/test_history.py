"""The lab over time, from the rows that it records."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cluster.base.histogram import Histogram
from cluster.lab.api import Lab
from cluster.lab.folder import LabFolder
from cluster.lab.timeline.rows import LinkRow, Mark, NodeRow, Row, add_mark, encoded, row_at
from cluster.web import history
from cluster.web.history import History, Sample, moment, sample


def times(*ms: float) -> Histogram:
    found = Histogram()
    for each in ms:
        found.add(each)
    return found


ROW = Row(
    102.0, 2.0, {"s1": NodeRow("running", 1.5, 1_000), "s2": NodeRow("paused", None, 500)},
    {"s1→s2": LinkRow(6, 3, {"down": "always"}), "s2→s1": LinkRow(0, 1)},
    {"s1": times(100.0), "s1→s2": times(*[2.0] * 50, *[40.0] * 50)}, 20, 1,
)  # fmt: skip


def test_a_row_as_points_of_the_charts() -> None:
    """Rates are per second; percentiles are of the links alone."""
    found = sample(ROW)
    assert found.p50_ms == pytest.approx(2.0, rel=0.03)
    assert found.p99_ms == pytest.approx(40.0, rel=0.03)
    assert found == Sample(102.0, 10.0, 3.0, 0.5, found.p50_ms, found.p99_ms, 4, 1.5, 1_500)
    assert sample(Row(1.0, 0.0, {})) == Sample(1.0, 0.0, 0.0, 0.0, None, None, 0, 0.0, 0)


def test_a_row_as_the_map_shows_it() -> None:
    shown = moment(ROW)
    assert shown["node s2"] == {"name": "s2", "state": "paused"}
    assert shown["link s1 s2"] == {"from": "s1", "to": "s2", "written": 6, "waiting": 3, "faults": {"down": "always"}}
    assert shown["line s1 s2"]["stanzas"] == 50.0
    assert "line s1" not in " ".join(shown).replace("line s1 s2", "")  # a node is no line


def recorded(lab: Lab, *rows: Row) -> None:
    with lab.folder.timeline.open("ab") as file:
        for row in rows:
            file.write(encoded(row))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "verona").mkdir()
    return Lab(LabFolder(tmp_path / "verona"))


def test_what_is_new_comes_once(lab: Lab) -> None:
    seen = History(lab)
    seen.read()
    assert seen.since(0.0) == {"samples": [], "marks": []}
    recorded(lab, Row(1.0, 1.0, {}), Row(2.0, 1.0, {}))
    add_mark(lab.folder.timeline, "kill", "s1")
    seen.read()
    assert [each.at_utc_s for each in seen.since(0.0)["samples"]] == [1.0, 2.0]
    assert [what for _, what in seen.since(0.0)["marks"]] == ["kill s1"]
    recorded(lab, Row(3.0, 1.0, {}))
    seen.read()
    assert [each.at_utc_s for each in seen.since(2.0)["samples"]] == [3.0]
    assert seen.newest_utc_s == 3.0


def test_a_mark_that_was_written_late_is_told(lab: Lab) -> None:
    """It was done before the row, and written after it."""
    seen = History(lab)
    recorded(lab, Row(time.time(), 1.0, {}))
    seen.read()
    newest_utc_s = seen.newest_utc_s
    with lab.folder.timeline.open("ab") as file:
        file.write(encoded(Mark(newest_utc_s - 0.1, "kill s1")))
    seen.read()
    assert [what for _, what in seen.since(newest_utc_s)["marks"]] == ["kill s1"]


def test_it_is_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(lab, *(Row(float(second), 1.0, {}) for second in range(history.MAX_SAMPLES + 10)))
    seen = History(lab)
    seen.read()
    assert len(seen.samples) == history.MAX_SAMPLES
    assert seen.newest_utc_s == history.MAX_SAMPLES + 9


def test_the_row_of_a_moment(lab: Lab) -> None:
    assert row_at(lab.folder.timeline, 5.0) is None  # nothing is recorded
    recorded(lab, Row(1.0, 1.0, {}))
    add_mark(lab.folder.timeline, "kill", "s1")
    recorded(lab, Row(2.0, 1.0, {"s1": NodeRow("paused", None, None)}), Row(3.0, 1.0, {}))
    assert row_at(lab.folder.timeline, 0.5) is None  # it begins later
    found = row_at(lab.folder.timeline, 2.9)
    assert found is not None
    assert (found.at_utc_s, found.nodes["s1"].state) == (2.0, "paused")
    last = row_at(lab.folder.timeline, 99.0)
    assert last is not None
    assert last.at_utc_s == 3.0
