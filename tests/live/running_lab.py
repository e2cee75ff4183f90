"""A lab as a user has it: brought up, asked and taken down by the `xmpplab` command, in a folder of its own."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cluster.lab.api import Lab
from cluster.lab.timeline.rows import Row
from cluster.lab.wait import wait_until
from tests.live import warm
from tests.live.clients import RealClient

ROOT = Path(__file__).parents[2]
XMPPLAB = str(Path(sys.executable).with_name("xmpplab"))

TIMEOUT_S = 300
"""More than a command itself has patience: then it says what it waited for, and leaves nothing behind."""


class RunningLab:
    """One lab; `up` and `down` are the caller's, or `while_up` does both."""

    def __init__(self, folder: Path, topology: Path, driver: str = "process") -> None:
        self.folder = folder
        self.topology = topology
        self.driver = driver

    @property
    def name(self) -> str:
        """As the topology says."""
        return next(line for line in self.topology.read_text().splitlines() if line.startswith("name: "))[6:]

    def on_engine(self, part: str) -> str:
        """What the container of a node is called on the engine, or a network."""
        return f"xmpplab-{self.name}-{part}"

    def command(self, *arguments: str, exit_code: int = 0) -> str:
        """Run `xmpplab …` in the lab's folder; what it printed."""
        # a test run that is killed leaves no lab of processes behind
        owner = {} if "docker" in (self.driver, *arguments) else {"XMPPLAB_UP_OWNER": str(os.getpid())}
        done = warm.run(arguments, self.folder, TIMEOUT_S, environment=owner)
        assert done.returncode == exit_code, f"xmpplab {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def up(self) -> None:
        """Bring it up; returns when every part answers."""
        self.command("up", str(self.topology), "-d", "--driver", self.driver)

    def down(self) -> None:
        """Take it down; nothing is left."""
        self.command("down")

    def while_up(self) -> Iterator[RunningLab]:
        """For a fixture: this lab, brought up; it is taken down after the tests, and where it came up in part only."""
        try:
            self.up()
            yield self
        finally:
            self.down()

    def ps(self) -> dict[str, Any]:
        """`xmpplab ps --format json`."""
        return dict(json.loads(self.command("ps", "--format", "json")))

    def until_running(self, name: str, restarts: int) -> None:
        """Wait until the node has been started anew so often, and answers."""

        def runs() -> bool:
            node = next(node for node in self.ps()["nodes"] if node["name"] == name)
            return bool(node["state"] == "running" and node["restarts"] >= restarts)

        assert wait_until(runs, 60.0), self.ps()

    def wait_for_row(self, condition: Callable[[Row], object]) -> None:
        """Until the newest row of the time line meets it."""
        lab = Lab.kept(self.folder / ".xmpplab" / self.name)

        def holds() -> bool:
            row = lab.timeline.row_at(time.time())
            return row is not None and bool(condition(row))

        assert wait_until(holds, TIMEOUT_S)

    def node(self, domain: str) -> dict[str, Any]:
        """The server of a domain, as `ps` shows it."""
        return next(node for node in self.ps()["nodes"] if node.get("domain") == domain)

    def client(self, jid: str, password: str = "secret", script: str = "slixmpp_client.py") -> RealClient:
        """A real client that logs in with what `ps` says; `script`: what it can do."""
        domain = jid.partition("/")[0].partition("@")[2]
        return RealClient(jid, password, self.node(domain)["c2s"], self.ps()["ca_file"], script)
