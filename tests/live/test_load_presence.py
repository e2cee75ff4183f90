"""The scenario `presence` against a running lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.locust_run import figures, locust
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live
PRESENCE = ROOT / "loadtests" / "presence.py"


def test_everybody_comes_changes_and_goes(tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "rooms.yaml")
    lab.up()
    try:
        options = ("-u", "8", "-r", "8", "-t", "6s", "--contacts", "3", "--rate", "2")
        done = locust(PRESENCE, tmp_path / ".xmpplab" / "rooms", *options, "--json-file", str(tmp_path / "run"))
    finally:
        lab.down()
    assert done.returncode == 0, done.stdout + done.stderr
    rows = figures(tmp_path / "run")
    assert {name: row["num_failures"] for name, row in rows.items()} == dict.fromkeys(rows, 0)
    count = {name: row["num_requests"] for name, row in rows.items()}
    assert count["login"] == 8
    for kind in ("presence", "unavailable"):
        assert 0 < count[f"{kind} last copy"] <= count[f"{kind} first copy"] < count["send"]
    assert count["presence first copy"] > count["unavailable first copy"]  # most steps are changes
