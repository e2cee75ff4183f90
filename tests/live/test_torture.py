"""One short run of the torture: a stranger's client through kills of several processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.running_lab import ROOT, TIMEOUT_S
from tests.torture.__main__ import BEGIN, END

pytestmark = pytest.mark.live


def test_kills_of_several_processes_at_once(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    argv = [sys.executable, "-m", "tests.torture", "multi-kill", "--seconds", "10", "--seed", "3", "--write", str(page)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "s kill " in done.stdout
    [row] = [line for line in page.read_text().splitlines() if "(10 s, seed 3)" in line]
    assert row.endswith("| kept |")
