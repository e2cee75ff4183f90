"""`xmpplab verify` on a room: through a broken link, and through the end of its server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.running_lab import ROOT, RunningLab
from tests.live.verify_runs import verify

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "rooms.yaml"
FLOW = "{room: verona@conference.montague.lit, occupants: 4, rate: 40, duration: 4s}"


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    yield from RunningLab(tmp_path_factory.mktemp("lab"), TOPOLOGY).while_up()


def write(lab: RunningLab, *lines: str) -> str:
    file = lab.folder / "room.yaml"
    file.write_text("\n".join(["name: room", f"topology: {TOPOLOGY}", f"flows: [{FLOW}]", *lines]) + "\n")
    return str(file)


def test_each_hears_each_message_once_and_in_one_order(lab: RunningLab) -> None:
    partition = "steps: [{at: 1s, partition: [s1, s2], for: 1s}]"
    report = verify(lab, write(lab, partition))
    assert report["total"]["sent"] == report["total"]["delivered"] == 160
    assert report["failures"] == []
    assert len(report["flows"]) == 2 * 4 + 1
    said = lab.command("why", "--from", "romeo@montague.lit", "--to", "conference.montague.lit")
    assert "4 of 4 copies arrived, the last after " in said
    killed = verify(lab, write(lab, "steps: [{at: 1500ms, kill: s1}]", "promises: {bounced: any}"))
    assert killed["failures"] == []
    counts = killed["total"]
    assert counts["sent"] == counts["delivered"] + counts["bounced"]
    assert counts["delivered"] > 0


def test_another_node_takes_the_room_over(tmp_path: Path) -> None:
    """One node of two has it; both are killed, one after the other."""
    lab = RunningLab(tmp_path, ROOT / "topologies" / "nodes.yaml")
    lab.up()
    try:
        report = verify(lab, str(ROOT / "topologies" / "scenarios" / "room-nodes.yaml"))
    finally:
        lab.down()
    assert report["failures"] == []
    counts = report["total"]
    assert counts["sent"] == counts["delivered"] + counts["bounced"]
    assert counts["delivered"] > counts["sent"] / 2


def test_what_does_not_fit(lab: RunningLab) -> None:
    file = lab.folder / "bad.yaml"
    flows = "[{room: x@nowhere.lit}, {room: verona@conference.montague.lit, to: juliet@capulet.lit}]"
    file.write_text(f"name: bad\ntopology: {TOPOLOGY}\nflows: {flows}\n")
    assert "leave out `from` and `to`, or `room`" in lab.command("validate", str(file), exit_code=2)
    file.write_text(f"name: bad\ntopology: {TOPOLOGY}\nflows: [{{room: x@nowhere.lit}}]\n")
    assert "no service of rooms 'nowhere.lit'" in lab.command("validate", str(file), exit_code=2)
