"""The time line of a lab: what is recorded of it, and what was done to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from msgspec.structs import replace

from cluster.base.histogram import Histogram
from cluster.lab.api import Lab
from cluster.lab.folder import LabFolder
from cluster.lab.lines import LineFile
from cluster.lab.supervisor import Recording
from cluster.lab.timeline import recorder
from cluster.lab.timeline.recorder import Recorder
from cluster.lab.timeline.rows import LinkRow, NodeRow, Row, TimelineReader, add_mark, encoded
from cluster.lab.wait import wait_until
from tests.unit.lab.plan import make_plan
from tests.unit.lab.test_api import Pretended

PATIENCE_S = 60.0


@pytest.fixture
def driver(tmp_path: Path) -> Pretended:
    return Pretended(LabFolder(tmp_path / "verona"))


@pytest.fixture
def lab(driver: Pretended, tmp_path: Path) -> Lab:
    lab = Lab(LabFolder(tmp_path / "verona"), driver)
    lab.up([make_plan(lab.path)])
    return lab


@contextmanager
def recorded(lab: Lab) -> Iterator[None]:
    stopping = Event()
    thread = Thread(target=Recorder(lab, stopping).run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def marks(lab: Lab) -> list[str]:
    return [mark.what for mark in lab.timeline.reader().read().marks]


def test_a_row_survives_its_file(tmp_path: Path) -> None:
    times = Histogram()
    times.add(3.0)
    nodes = {"s1": NodeRow("running", 1.5, 50_000_000), "s2": NodeRow("restarting", None, None)}
    row = Row(100.0, 1.0, nodes, {"s1→s2": LinkRow(3, 7, {"delay": "40ms"})}, {"s1→s2": times}, 5, 1)
    path = tmp_path / "timeline.jsonl"
    file, reader = LineFile(path), TimelineReader(path)
    file.append(encoded(row))
    add_mark(path, "fault", "set", "s1", "s2", "--delay", "40 ms")
    file.append(b'{"is":"row","at_utc_s":"of another version"}\n')
    file.close()
    rows, [mark] = reader.read()
    assert rows == [row]
    assert mark.what == "fault set s1 s2 --delay '40 ms'"
    assert reader.read() == ([], [])


def test_marks_alone_do_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.lab.timeline.rows.MAX_FILE_BYTES", 500)
    for number in range(100):
        add_mark(tmp_path / "timeline.jsonl", "kill", f"s{number}")
    assert 1_000 <= (tmp_path / "timeline.jsonl").stat().st_size < 1_100


def test_what_is_done_to_a_lab_is_marked_in_the_words_of_the_command(lab: Lab) -> None:
    lab.act("s2", "kill", 3.0)
    lab.act("s1", "pause")
    lab.scale({"s1": 2})
    assert marks(lab) == ["kill s2 --for 3s", "pause s1", "scale s1=2"]


def test_a_mark_that_finds_no_room_or_no_folder_stops_nobody(tmp_path: Path) -> None:
    add_mark(tmp_path / "gone" / "timeline.jsonl", "kill", "s1")


def test_rows_come_while_redis_does_not_answer(lab: Lab, driver: Pretended, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what happens to a node is marked, whoever did it."""
    monkeypatch.setattr(recorder, "EVERY_S", 0.05)
    with recorded(lab):
        assert wait_until(lambda: len(lab.timeline.reader().read().rows) >= 2, PATIENCE_S)
        driver.nodes[1].state, driver.nodes[1].last_exit = "restarting", "signal SIGKILL"
        assert wait_until(lambda: "s2 is restarting (signal SIGKILL)" in marks(lab), PATIENCE_S)
        driver.nodes[1].state = "running"
        assert wait_until(lambda: "s2 is running" in marks(lab), PATIENCE_S)
    rows = lab.timeline.reader().read().rows
    assert {row.nodes["s1"].state for row in rows} == {"running"}
    assert [state for state in (row.nodes["s2"].state for row in rows) if state != "running"]
    assert all(row.took_s > 0 for row in rows)


def test_nodes_that_change_together_have_one_mark(lab: Lab, driver: Pretended, monkeypatch: pytest.MonkeyPatch) -> None:
    """And how a process ended earlier does not explain why it hangs now."""
    monkeypatch.setattr(recorder, "EVERY_S", 0.05)
    for node in driver.nodes:
        node.last_exit = "exit code 0"
    with recorded(lab):
        assert wait_until(lambda: len(lab.timeline.reader().read().rows) >= 2, PATIENCE_S)
        driver.nodes = [replace(node, state="paused") for node in driver.nodes]
        assert wait_until(lambda: marks(lab) == ["s1, s2 are paused"], PATIENCE_S)


def test_the_recorder_ends_with_the_folder(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "EVERY_S", 0.05)
    thread = Thread(target=Recorder(lab, Event()).run)
    thread.start()
    lab.folder.remove()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert not lab.path.exists()


def test_who_removes_the_folder_waits_for_what_the_recorder_does_just_now(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that it creates meanwhile would keep the folder."""
    begun, may_end = Event(), Event()

    class Slow(Recorder):
        def run(self) -> None:
            begun.set()
            may_end.wait(PATIENCE_S)
            super().run()

    monkeypatch.setattr(recorder, "Recorder", Slow)
    recording = Recording(lab.folder)
    recording.start()
    assert begun.wait(PATIENCE_S)
    stopping = Thread(target=recording.stop)
    stopping.start()
    assert stopping.is_alive()
    may_end.set()
    stopping.join(PATIENCE_S)
    assert not stopping.is_alive()


def test_old_rows_make_room_for_new_ones(lab: Lab) -> None:
    file = LineFile(lab.folder.timeline, 2_000)
    for second in range(200):
        file.append(encoded(Row(float(second), 1.0, {"s1": NodeRow("running", 0.0, 1)})))
    file.close()
    assert sum(path.stat().st_size for path in lab.path.glob("timeline*")) <= 4_000
    kept = [entry.at_utc_s for entry in lab.timeline.reader().read().rows]
    assert kept == [float(second) for second in range(200 - len(kept), 200)]
    assert len(kept) > 20
