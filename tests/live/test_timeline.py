"""The time line of a running lab, which is recorded whether anybody looks or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cluster.lab.api import Lab, wait_until
from cluster.lab.folder import LabFolder
from cluster.lab.timeline.rows import Row
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live
PATIENCE_S = 60.0


@pytest.fixture
def lab(verona: RunningLab) -> RunningLab:
    """A lab of processes: in containers there is no supervisor."""
    if verona.driver == "docker":
        pytest.skip("labs in containers have no supervisor")
    return verona


class Past:
    """What was recorded since the beginning of a test."""

    def __init__(self, running: RunningLab) -> None:
        self._reader = Lab(LabFolder(running.folder / ".xmpplab" / running.name)).timeline.reader()
        self.rows: list[Row] = []
        self.marks: list[str] = []
        self.read()
        self.rows.clear()
        self.marks.clear()

    def read(self) -> None:
        rows, marks = self._reader.read()
        self.rows += rows
        self.marks += [mark.what for mark in marks]

    def wait(self, condition: Callable[[], object]) -> None:
        assert wait_until(lambda: self.read() or condition(), PATIENCE_S), (self.rows[-3:], self.marks)

    def count(self, stretch: str) -> int:
        return sum(row.times[stretch].total for row in self.rows if stretch in row.times)


def test_rows_tell_where_the_time_went(lab: RunningLab) -> None:
    past = Past(lab)
    past.wait(lambda: past.rows)  # it looks at what comes after its first look
    lab.command("trace", "romeo@montague.lit", "juliet@capulet.lit", "--count", "3")
    past.wait(lambda: past.count("s2") >= 3)
    assert past.count("s1→s2") == past.count("s1") == 3
    assert sum(row.links["s1→s2"].written for row in past.rows if "s1→s2" in row.links) >= 3
    assert sum(row.stanzas for row in past.rows) >= 3


def test_rows_tell_of_each_process(lab: RunningLab) -> None:
    past = Past(lab)
    past.wait(lambda: past.rows)
    nodes = past.rows[-1].nodes
    assert {"redis", "s1", "s2", "s3"} <= nodes.keys()
    assert all(node.state == "running" and (node.memory_bytes or 0) > 1_000_000 for node in nodes.values())


def test_faults_are_in_the_rows_and_who_set_them_is_marked(lab: RunningLab) -> None:
    past = Past(lab)
    lab.command("fault", "set", "s1", "s3", "--delay", "5ms")
    past.wait(lambda: any("s1→s3" in row.links and row.links["s1→s3"].faults for row in past.rows))
    lab.command("fault", "clear", "s1", "s3")
    past.wait(lambda: len(past.marks) == 2)
    assert past.marks == ["fault set s1 s3 --delay 5ms", "fault clear s1 s3"]


def test_a_node_that_is_killed_is_gone_in_the_rows(lab: RunningLab) -> None:
    past = Past(lab)
    lab.command("kill", "s3", "--for", "2s")
    past.wait(lambda: "s3 is running" in past.marks)
    assert past.marks[0] == "kill s3 --for 2s"
    assert any(row.nodes["s3"].state == "restarting" and row.nodes["s3"].memory_bytes is None for row in past.rows)
