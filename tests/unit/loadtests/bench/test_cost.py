"""What processes cost is counted for all of their descendants."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from loadtests.bench.cost import Processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's clocks of processes")

WORKS = "import sys, time\nwhile time.process_time() < 0.2: pass\nheld = bytearray(b'x' * 30_000_000)\n"
SAYS_SO = "print(flush=True)\nsys.stdin.read()"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, and has a child that works."""
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {WORKS + SAYS_SO!r}])"
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_cpu_and_memory_of_a_child_count(parent: subprocess.Popen[bytes]) -> None:
    assert parent.stdout is not None
    parent.stdout.readline()
    processes = Processes([parent.pid])
    assert len(processes.pids()) == 2
    assert processes.cpu_s() >= 0.2
    assert processes.clock()() >= 0.2
    assert processes.memory_kib() >= 30_000_000 // 1024


def test_processes_that_are_gone_cost_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    processes = Processes([gone.pid])
    assert (processes.pids(), processes.cpu_s(), processes.memory_kib()) == ([], 0, 0)
