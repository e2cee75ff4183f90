"""The same network does the same again: no order is left to the hashes of strings or the addresses of objects."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import zip_longest

from tests.live.running_lab import ROOT


def test_two_processes_write_the_same_bytes() -> None:
    """Hashes differ from process to process, as in life; a simulation that finds a fault could not show it again."""
    command = [sys.executable, "-m", "tests.unit.server.deterministic"]
    running = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    (one, failed), (other, _) = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], failed.decode()
    assert one.count(b"\n") > 500
    for line, same in zip_longest(one.splitlines(), other.splitlines()):
        assert line == same
