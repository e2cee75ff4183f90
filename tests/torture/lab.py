"""The lab as a stranger knows it: the `xmpplab` command, the ports of the servers, and the process ids of the nodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

XMPPLAB = str(Path(sys.executable).with_name("xmpplab"))
PASSWORD = "secret"
TIMEOUT_S = 300.0


class Lab:
    """One lab in a folder of its own."""

    def __init__(self, folder: Path, topology: str) -> None:
        self._folder = folder
        self._file = folder / "torture.yaml"
        self._file.write_text(topology)
        self.ca_file = ""

    def command(self, *arguments: str) -> str:
        """What `xmpplab …` prints. Raises CalledProcessError."""
        done = subprocess.run(
            [XMPPLAB, *arguments], cwd=self._folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        if done.returncode:
            raise RuntimeError(f"xmpplab {' '.join(arguments)}: {done.stdout}\n{done.stderr}")
        return done.stdout

    def up(self) -> None:
        """Bring it up."""
        self.command("up", self._file.name, "-d")
        self.ca_file = self.ps()["ca_file"]

    def down(self) -> None:
        """Take it down."""
        self.command("down")

    def ps(self) -> dict[str, Any]:
        """What runs."""
        return dict(json.loads(self.command("ps", "--format", "json")))

    def addresses(self, domain: str) -> list[tuple[str, int]]:
        """Where the nodes of a domain take clients."""
        found = [node["c2s"] for node in self.ps()["nodes"] if node["domain"] == domain and node["c2s"]]
        return [(host, int(port)) for host, port in (address.rsplit(":", 1) for address in found)]

    def pids(self) -> dict[str, int]:
        """Of the nodes that answer, by name."""
        return {node["name"]: node["pid"] for node in self.ps()["nodes"] if node["state"] == "running" and node["pid"]}

    def kill(self, pids: list[int]) -> None:
        """SIGKILL, as one blow."""
        for pid in pids:
            with suppress(ProcessLookupError):  # it died of the kill before
                os.kill(pid, signal.SIGKILL)

    def memory_bytes(self) -> int:
        """Resident memory of all nodes together."""
        total = 0
        for pid in self.pids().values():
            with suppress(psutil.Error):
                total += psutil.Process(pid).memory_info().rss
        return total
