"""Delay, loss and other impairments by the kernel, in the network of one container: `tc netem` (iproute2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cluster.lab.containers.compose import to_router
from cluster.lab.containers.engine import NODE, Engine, connected
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder

OFF = "off"

_NO_NETEM = ("qdisc kind is unknown", "No such file or directory", "Operation not supported")
"""The messages of kernels without netem, from the newer ones to the older."""


def netem(folder: LabFolder, node: str, words: Sequence[str]) -> str:
    """Apply netem to what a server sends to other domains, or to all that any other node sends.

    `words` are those of tc(8), such as `delay 40ms 5ms loss 1%`, or OFF, or none to change nothing. Returns the
    settings, which end with the container. Raises BadInput, LabError.
    """
    if not folder.containers.exists():
        raise BadInput("netem is for labs in containers (`up --driver docker`); `xmpplab fault` works in every lab")
    plan = folder.plan()
    with connected(folder) as engine:
        known = [container.labels[NODE] for container in engine.containers()]
        if node not in known:
            raise BadInput(f"no node {node!r} in this lab (nodes: {', '.join(known)})")
        container = engine.container(node)
        if container.status != "running":
            raise LabError(f"{node} is {container.status}, so its network cannot be changed")
        networks = container.attrs["NetworkSettings"]["Networks"]
        link = f"xmpplab-{plan.name}-{to_router(node)}"
        if plan.server(node):
            networks = {link: networks[link]} if link in networks else {}
        if not networks:
            raise LabError(f"{node} is cut off: it is in no network whose packets could be delayed")
        tool = _Tool(engine, container)
        interfaces = tool.interfaces({network["IPAddress"] for network in networks.values()})
        for interface in interfaces if words else ():
            tool.change(interface, words)
        return "".join(tool.shown(interface) for interface in interfaces)


class _Tool:
    """iproute2 in the network of a container."""

    def __init__(self, engine: Engine, container: Any) -> None:
        self._engine = engine
        self._container = container

    def interfaces(self, addresses: set[str]) -> list[str]:
        """The names of those that have these addresses."""
        found = json.loads(self._run("ip", "-json", "-4", "address"))
        return [one["ifname"] for one in found if addresses & {address["local"] for address in one["addr_info"]}]

    def shown(self, interface: str) -> str:
        """The settings of an interface."""
        return self._run("tc", "qdisc", "show", "dev", interface)

    def change(self, interface: str, words: Sequence[str]) -> None:
        """Change the settings of an interface."""
        if list(words) != [OFF]:
            self._run("tc", "qdisc", "replace", "dev", interface, "root", "netem", *words)
        elif "netem" in self.shown(interface):
            self._run("tc", "qdisc", "del", "dev", interface, "root")

    def _run(self, *command: str) -> str:
        exit_code, text = self._engine.run_beside(self._container, list(command))
        if exit_code and any(answer in text for answer in _NO_NETEM):
            raise LabError(
                "the kernel below this engine has no netem; load it there (`sudo modprobe sch_netem`), or use "
                "`xmpplab fault`, which needs no support of the kernel"
            )
        if exit_code:
            raise BadInput(f"tc: {text.strip().splitlines()[0]}; see `man tc-netem` for its settings")
        return text
