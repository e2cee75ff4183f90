"""The foreign networks of a lab, and their faults."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UNSET, UnsetType

from cluster.base.request import Status
from cluster.lab.answers import NetworkView
from cluster.lab.control.ask import ask
from cluster.lab.errors import BadInput
from cluster.lab.folder import LabFolder
from cluster.lab.timeline.rows import add_mark
from cluster.networks.faults import in_words
from cluster.networks.requests import FaultClear, FaultLs, FaultSet
from cluster.topology.plan import NetworkNode, Plan

Given = TypeVar("Given")


class Networks:
    """The foreign networks of the lab, and their faults. Raises LabError, and BadInput for an unknown name."""

    def __init__(self, folder: LabFolder, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._known = {network.name: network for network in plan.networks if not network.is_external}

    def ls(self) -> list[NetworkView]:
        """All networks: connections, waiting messages, faults."""
        found = []
        for network in self._known.values():
            status = ask(self._folder, self._plan, network, Status())
            faults = ask(self._folder, self._plan, network, FaultLs())
            found.append(NetworkView(network.name, network.kind, status, faults))
        return found

    def set(
        self,
        name: str,
        *,
        down: bool = False,
        delay_s: float | None = None,
        max_per_s: float | None = None,
        refuse: str | None = None,
    ) -> str:
        """Add these faults to a network; returns all of its faults, in words."""
        faults = FaultSet(down or UNSET, _given(delay_s), _given(max_per_s), _given(refuse))
        words = in_words(ask(self._folder, self._plan, self._find(name), faults))
        add_mark(self._folder.timeline, "network", "set", name, *_words(down, delay_s, max_per_s, refuse))
        return words

    def clear(self, name: str) -> None:
        """Remove all faults of a network."""
        ask(self._folder, self._plan, self._find(name), FaultClear())
        add_mark(self._folder.timeline, "network", "clear", name)

    def _find(self, name: str) -> NetworkNode:
        if name not in self._known:
            raise BadInput(f"no network {name!r} in this lab (networks: {', '.join(self._known) or 'none'})")
        return self._known[name]


def _words(down: bool, delay_s: float | None, max_per_s: float | None, refuse: str | None) -> list[str]:
    """These faults as options of `xmpplab network set`."""
    words = ["--down"] if down else []
    words += [] if delay_s is None else ["--delay", f"{delay_s:g}s"]
    words += [] if max_per_s is None else ["--rate", f"{max_per_s:g}"]
    return words if refuse is None else [*words, "--refuse", refuse]


def _given(value: Given | None) -> Given | UnsetType:
    return UNSET if value is None else value
