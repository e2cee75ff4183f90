"""A supervisor in a process of its own, over real processes that crash and disobey."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from cluster.lab.folder import LabFolder
from cluster.lab.logs import LogReader
from cluster.lab.state import LabState, NodeState
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S


class Lab:
    """A supervisor under test, and what it writes."""

    def __init__(self, path: Path, how: str = "executed") -> None:
        self.how = how
        self.folder = LabFolder(path)
        self.process: subprocess.Popen[bytes] | None = None

    def supervise(self, *parts: str, owner: int = 0) -> None:
        argv = [
            sys.executable, "-m", "tests.unit.lab.supervise", str(self.folder.path), self.how, str(owner), *parts
        ]  # fmt: skip
        root = Path(__file__).parents[3]
        self.process = subprocess.Popen(argv, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})

    def nodes(self) -> dict[str, NodeState]:
        state = LabState.load(self.folder.state_file)
        return {node.name: node for node in state.nodes} if state else {}

    def until(self, condition: Callable[[dict[str, NodeState]], object]) -> dict[str, NodeState]:
        assert wait_until(lambda: (nodes := self.nodes()) and condition(nodes), PATIENCE_S), self.nodes()
        return self.nodes()

    def until_running(self) -> dict[str, NodeState]:
        return self.until(lambda nodes: all(node.state == "running" for node in nodes.values()))

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)

    def texts(self, node: str) -> list[tuple[str, str]]:
        return [(line.level, line.text) for line in LogReader(self.folder.log(node)).read()]


def supervised(how: str = "executed") -> Iterator[Lab]:
    """In a short folder: its sockets' paths may have about 100 bytes."""
    path = Path(tempfile.mkdtemp(prefix="xmpplab-"))
    lab = Lab(path, how)
    yield lab
    if lab.process is not None and lab.process.poll() is None:
        lab.end()
    shutil.rmtree(path, ignore_errors=True)


def is_alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
