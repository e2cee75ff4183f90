"""The backbone in memory: links, nodes and stores as objects, for size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from typing_extensions import override

from cluster.base.turn import Turn
from cluster.membership.memory import SILENCE_S, MemoryMembership, MemoryNodes
from cluster.router.memory import MemoryNetwork, MemoryRouter
from cluster.router.s2s.ports import MemoryCounts
from cluster.router.settings import FaultSettings
from cluster.simulation.backbone import Attachment, Backbone, Carriers, LinkCount, Process
from cluster.simulation.late_store import Disk, TakesS, late
from cluster.store.memory import memory_store
from cluster.store.port import Account, RosterItem, Store
from cluster.topology.plan import Plan
from cluster.trace.hop import Journal, Tracer
from cluster.virtual.host import Host

ACKNOWLEDGE_AFTER_S = 0.01
"""Stanzas that settled less than this time before a crash are delivered again, as with Redis."""


class InMemory(Backbone):
    """A `Backbone` that is never away."""

    def __init__(self, plan: Plan, host: Host, journal: Journal, take_over: Callable[[str], None]) -> None:
        """`host`: its own; `take_over` lets a running node of this domain read its links."""
        self.journal = journal
        self.stores = {node.domain: memory_store() for node in plan.ours}
        self.disk = Disk()
        self.counts = {node.domain: MemoryCounts() for node in plan.ours}
        self.memberships = {node.domain: MemoryMembership(host) for node in plan.ours}
        self.network = MemoryNetwork(
            host, self.memberships, plan.max_backlog, plan.served_by, ACKNOWLEDGE_AFTER_S, _linked(plan)
        )
        self._take_over = take_over

    def start(self) -> None:
        """Nothing to do."""

    @override
    def seed(self, domain: str, account: Account, roster: Sequence[RosterItem]) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.stores[domain].accounts.seed(account, roster))

    @override
    def store(self, domain: str) -> Store:
        return self.stores[domain]

    @override
    def attach(self, process: Process) -> InProcess:
        return InProcess(self, process)

    @override
    def set_faults(self, from_: str, to: str, settings: FaultSettings) -> None:
        self.network.set_faults(from_, to, settings)

    @override
    def let_disk_take(self, takes_s: TakesS | None) -> None:
        self.disk.takes_s = takes_s

    @override
    def links(self) -> Iterable[LinkCount]:
        for from_, to, queue in self.network.queues():
            yield LinkCount(from_, to, queue.written, len(queue.entries))

    @override
    def left_over(self) -> list[str]:
        return [f"router: {waiting} entries"] if (waiting := self.network.waiting) else []

    def miss(self, domain: str) -> None:
        """The reader of this domain's links is gone: after SILENCE_S another node reads them."""
        self.network.clock.callLater(SILENCE_S, partial(self._when_silent, domain))

    def _when_silent(self, domain: str) -> None:
        if domain not in self.network.readers:
            self._take_over(domain)


class InProcess(Attachment):
    """An `Attachment`."""

    _router: MemoryRouter
    _nodes: MemoryNodes

    def __init__(self, backbone: InMemory, process: Process) -> None:
        self.journal = backbone.journal
        self._backbone = backbone
        self._process = process

    async def connect(self) -> None:
        """It is there."""

    @override
    def carriers(self, turn: Turn, tracer: Tracer) -> Carriers:
        backbone, (node, host, *_) = self._backbone, self._process
        self._router = backbone.network.router(node.domain, tracer, host, turn)
        self._nodes = MemoryNodes(backbone.memberships[node.domain], node.name, host)
        store, counts = late(backbone.stores[node.domain], backbone.disk, host), backbone.counts[node.domain]
        return Carriers(store, self._router, self._nodes, self._router.faults, counts)

    @override
    def crashed(self) -> None:
        domain = self._process.node.domain
        was_reader = self._backbone.network.forget(self._router)
        self._backbone.memberships[domain].crash(self._nodes)
        if was_reader:
            self._backbone.miss(domain)


def _linked(plan: Plan) -> Callable[[str, str], bool]:
    """Whether a link leads from one domain to another."""
    peers = {node.domain: frozenset(node.peers) for node in plan.ours if node.peers is not None}
    return lambda from_, to: from_ not in peers or to == from_ or to in peers[from_]
