"""README.md shows what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live
BEGIN = "`make lab` prints this"


def sample() -> list[str]:
    """The lines of the example, without those of the pages around it."""
    _, _, after = (ROOT / "README.md").read_text().partition(BEGIN)
    block = re.search(r"\n\n((?:    .*\n|\n)+)", after)
    assert block is not None
    return [normal(line[4:]) for line in block[1].splitlines() if line.strip()]


def normal(line: str) -> str:
    """Without what differs from run to run: ids, times, addresses and the widths that follow from them."""
    line = re.sub(r"\btrace(-| )[0-9a-f]+", r"trace\1ID", line)
    line = re.sub(r"\d+\.\d+ (ms|s)\b", r"TIME \1", line)
    line = re.sub(r"\b127(\.\d+){3}", "ADDRESS", line)
    return " ".join(line.split())


def test_the_sample_is_what_the_lab_prints(tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "rfc3920.yaml")
    try:
        printed = [normal(line) for line in lab.command("up", str(lab.topology), "-d", "--demo").splitlines()]
    finally:
        lab.down()
    found = iter([line for line in printed if line])
    gap = False
    for line in sample():
        if line == "…":
            gap = True
            continue
        assert (line in found) if gap else (next(found) == line), f"README.md shows {line!r}, which was not printed"
        gap = False
