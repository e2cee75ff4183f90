"""A lab of xmpplab: its servers, their Redis and the supervisor, with all defaults except TLS, which is optional
here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

from cluster.kinds.base.child import DidNotStart
from loadtests import lab
from loadtests.bench.cost import Processes
from loadtests.bench.pair import Contender, Pair, Server, timed

_XMPPLAB = str(Path(sys.executable).with_name("xmpplab"))


@contextmanager
def running(folder: Path, domains: list[str], change: dict[str, Any] | None = None) -> Iterator[Pair]:
    """A lab of these domains. `change`: sections of its topology that differ from the default."""
    change = change or {}
    defaults = {"tls": "optional", "registration": "open", "registrations_per_minute": 0}
    topology = {
        "name": "bench",
        "servers": {f"s{number}": {"domain": domain} for number, domain in enumerate(domains, 1)},
        **change,
        "defaults": {**defaults, **change.get("defaults", {})},
    }
    (folder / "bench.yaml").write_text(json.dumps(topology))  # JSON is YAML
    try:
        with timed() as since_s:
            _xmpplab(folder, "up", "bench.yaml", "--detach")
            took_s = since_s()
        found = lab.find({}, folder)
        servers = tuple(Server(each.domain, each.host, each.c2s_port) for each in found.servers)
        yield Pair(servers, found.servers[0].ca_file or "", Processes([_supervisor(folder)]), took_s)
    finally:
        _xmpplab(folder, "down")


class _Node(msgspec.Struct):
    name: str
    pid: int | None


class _Overview(msgspec.Struct):
    nodes: list[_Node]


def processes(folder: Path) -> dict[str, Processes]:
    """The nodes of the running lab by their names, without those that have no process of their own."""
    shown = msgspec.json.decode(_xmpplab(folder, "ps", "--format", "json"), type=_Overview)
    return {node.name: Processes([node.pid]) for node in shown.nodes if node.pid is not None}


def _supervisor(folder: Path) -> int:
    """Process id of the ancestor of all others."""
    [first, *_] = (pid for each in processes(folder).values() for pid in each.pids())
    return psutil.Process(first).ppid()


def _xmpplab(folder: Path, *arguments: str) -> bytes:
    done = subprocess.run([_XMPPLAB, *arguments], cwd=folder, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise DidNotStart(f"xmpplab {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


OURS = Contender("xmpplab", "", lambda folder: running(folder, ["montague.lit", "capulet.lit"]))
