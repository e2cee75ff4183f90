"""The simulated network: its hosts, and the wires between them."""

from __future__ import annotations

import gc
from types import CoroutineType, GeneratorType
from typing import Any

from cluster.virtual.connect import Port
from cluster.virtual.host import Host
from cluster.virtual.timeline import Timeline
from cluster.virtual.wire import Path, Wire

DEFAULT = Wire()
_RESUMABLE = (CoroutineType, GeneratorType)


class Network:
    """Hosts and the wires between them, on one timeline. The same seed gives the same run."""

    def __init__(self, timeline: Timeline, seed: str = "", wire: Wire = DEFAULT) -> None:
        """`wire` joins hosts for which `join` gives no other wire; `seed` is for jitter."""
        self.timeline = timeline
        self.ports: dict[tuple[str, int], Port] = {}
        """The listening ports, by address."""
        self.sent_bytes = 0
        """Bytes that all hosts sent, with the overhead of TLS."""
        self._suspended: list[object] = []
        self._dark: set[str] = set()
        self._seed = seed
        self._wire = wire
        self._wires: dict[tuple[str, str], Wire] = {}
        self._paths: dict[tuple[str, str], Path] = {}

    def host(self, address: str, ahead_s: float = 0.0) -> Host:
        """Start a process at this address, whose clock is so far ahead."""
        return Host(self, address, ahead_s)

    def keep_suspended(self) -> None:
        """A process has crashed. A coroutine runs its `finally` when it is collected: of a killed process it must not.

        Of all processes, as nothing tells whose it is; those that have ended since the last crash are let go.
        """
        self._suspended = [each for each in gc.get_objects() if type(each) in _RESUMABLE and not _has_ended(each)]

    def join(self, one: str, other: str, wire: Wire) -> None:
        """Join two hosts by a wire; call it before the first connection between them."""
        self._wires[one, other] = self._wires[other, one] = wire

    def path(self, from_: str, to: str) -> Path:
        """The path from one address to another."""
        path = self._paths.get((from_, to))
        if path is None:
            wire = self._wires.get((from_, to), self._wire)
            path = self._paths[from_, to] = Path(self.timeline, wire, f"{self._seed} {from_} {to}")
            path.is_cut = from_ in self._dark or to in self._dark
        return path

    def cut(self, one: str, other: str) -> None:
        """Cut two hosts off from each other. Segments under way still arrive; later ones wait for `mend`."""
        for path in (self.path(one, other), self.path(other, one)):
            path.is_cut = True

    def mend(self, one: str, other: str) -> None:
        """End a cut."""
        for path in (self.path(one, other), self.path(other, one)):
            path.mend()

    def lose_power(self, address: str) -> None:
        """Cut a host off from all others, as when its machine is off."""
        self._dark.add(address)
        for path in self._paths_of(address):
            path.is_cut = True

    def regain_power(self, address: str) -> None:
        """Its machine is on again: what others sent meanwhile, they send again. Without effect where it was not off."""
        if address in self._dark:
            self._dark.remove(address)
            for path in self._paths_of(address):
                path.mend()

    def _paths_of(self, address: str) -> list[Path]:
        return [path for ends, path in self._paths.items() if address in ends]


def _has_ended(each: Any) -> bool:
    return (each.cr_frame if type(each) is CoroutineType else each.gi_frame) is None
