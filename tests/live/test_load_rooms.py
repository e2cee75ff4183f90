"""The scenario `rooms` against a running lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.locust_run import figures, locust
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live
ROOMS = ROOT / "loadtests" / "rooms.py"


def test_rooms(tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "rooms.yaml")
    lab.up()
    try:
        options = (
            "-u",
            "6",
            "-r",
            "6",
            "-t",
            "4s",
            "--rooms",
            "2",
            "--rate",
            "2",
            "--json-file",
            str(tmp_path / "run"),
        )
        done = locust(ROOMS, tmp_path / ".xmpplab" / "rooms", *options)
    finally:
        lab.down()
    assert done.returncode == 0, done.stdout + done.stderr
    rows = figures(tmp_path / "run")
    assert {name: row["num_failures"] for name, row in rows.items()} == dict.fromkeys(rows, 0)
    first, last, sent = (rows[name]["num_requests"] for name in ("room first copy", "room last copy", "send"))
    assert first == last == sent > 10


def test_a_lab_without_rooms(tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "verona.yaml")
    lab.up()
    try:
        done = locust(ROOMS, tmp_path / ".xmpplab" / "verona", "-u", "2", "-t", "1s")
    finally:
        lab.down()
    assert done.returncode == 1
    assert "lab verona has no rooms; `xmpplab up rooms -d`" in done.stderr + done.stdout
