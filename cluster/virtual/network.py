"""Hosts, and the wires between them."""

from __future__ import annotations

from cluster.virtual.connect import Port
from cluster.virtual.host import Host
from cluster.virtual.timeline import Timeline
from cluster.virtual.wire import Path, Wire

DEFAULT = Wire()


class Network:
    """Hosts and the wires between them, on one timeline. The same seed gives the same run."""

    def __init__(self, timeline: Timeline, seed: str = "", wire: Wire = DEFAULT) -> None:
        """`wire`: between hosts for which `join` names no other."""
        self.timeline = timeline
        self.ports: dict[tuple[str, int], Port] = {}
        """Those that are listened on."""
        self.sent_bytes = 0
        """By all hosts, with what TLS would add."""
        self._seed = seed
        self._wire = wire
        self._wires: dict[tuple[str, str], Wire] = {}
        self._paths: dict[tuple[str, str], Path] = {}

    def host(self, address: str) -> Host:
        """A new process at this address."""
        return Host(self, address)

    def join(self, one: str, other: str, wire: Wire) -> None:
        """These two are joined by this wire, from before the first connection between them."""
        self._wires[one, other] = self._wires[other, one] = wire

    def path(self, from_: str, to: str) -> Path:
        """The one from this address to that."""
        path = self._paths.get((from_, to))
        if path is None:
            wire = self._wires.get((from_, to), self._wire)
            path = self._paths[from_, to] = Path(self.timeline, wire, f"{self._seed} {from_} {to}")
        return path

    def cut(self, one: str, other: str) -> None:
        """Nothing leaves for the other one any more; what is under way arrives, what is sent waits."""
        for path in (self.path(one, other), self.path(other, one)):
            path.is_cut = True

    def mend(self, one: str, other: str) -> None:
        """They are joined again."""
        for path in (self.path(one, other), self.path(other, one)):
            path.mend()
