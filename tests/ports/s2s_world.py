"""The network of the routers' contract over XML streams between servers, in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from cluster.base.turn import Turn
from cluster.router.link_faults import LinkFaults
from cluster.router.memory import MemoryNetwork
from cluster.router.s2s.ports import Address, MemoryCounts, S2sPorts
from cluster.router.s2s.router import S2sRouter
from tests.harness import until
from tests.ports.worlds import (
    CAPULET,
    DENMARK,
    MAX_BACKLOG,
    MONTAGUE,
    PEERS,
    SERVED_BY,
    SHAKESPEARE,
    Node,
    World,
    run_on,
    settings,
)
from tests.wires import Wires

DOMAINS = (MONTAGUE, CAPULET, SHAKESPEARE, DENMARK)


def served(domain: str) -> tuple[str, ...]:
    """The server's domain and those of its components."""
    return (domain, *(component for component, server in SERVED_BY.items() if server == domain))


class S2sWorld:
    """Each domain listens at an address of its own, and dials back: there is no TLS in memory."""

    def __init__(self, *, both_ways: bool = False) -> None:
        """`both_ways`: the streams are bidirectional (XEP-0288)."""
        self.both_ways = both_ways
        self.recorded: frozenset[str] = frozenset()
        self.clock = Clock()
        self.wires = Wires(self.clock)
        self.counts = {domain: MemoryCounts() for domain in DOMAINS}
        self.max_backlog = 20 * MAX_BACKLOG  # of stanzas, where others have batches
        self._faults = MemoryNetwork(self.clock, DOMAINS)  # that knows them, and carries nothing
        self._running: dict[Node, tuple[str, LinkFaults]] = {}
        self._ids = itertools.count()

    def run(self, scenario: Callable[[World], Coroutine[Deferred[Any], Any, None]]) -> None:
        run_on(self.clock, scenario(self))

    def ports(self, domain: str, node: Node) -> S2sPorts:
        faults = LinkFaults(self.clock, domain, node.tracer, self._count(domain), self.clock.seconds)
        faults.update(self._faults.faults(domain))
        peers = PEERS.get(domain, DOMAINS)
        addresses = {name: (Address(peer, 5269),) for peer in peers if peer != domain for name in served(peer)}

        async def names(domain: str) -> Sequence[Address]:
            return addresses.get(domain, ())

        async def secret() -> str:
            return f"secret of {domain}"

        return S2sPorts(
            served(domain), self.clock, Turn(self.clock), lambda: f"id{next(self._ids)}", names,
            self.wires.dial, secret, faults, node.tracer, self.counts[domain], served_by=SERVED_BY,
            max_backlog=self.max_backlog, recorded=self.recorded,
            bidirectional=frozenset(addresses) if self.both_ways else frozenset(),
        )  # fmt: skip

    async def start(self, domain: str) -> Node:
        node = Node(self.clock)
        ports = self.ports(domain, node)
        node.router = router = S2sRouter(ports)
        self._running[node] = domain, ports.faults
        await router.start(node)
        self.wires.listen(Address(domain, 5269), router)
        return node

    async def set_faults(self, from_: str, to: str, **texts: str) -> None:
        self._faults.set_faults(from_, to, settings(self.clock.seconds(), texts))
        for domain, faults in self._running.values():
            if domain == to:
                faults.update(self._faults.faults(to))

    def lost(self, from_: str, to: str) -> int:
        return self._faults.lost[from_, to]

    async def crash(self, node: Node) -> None:
        """The node answers nothing any more, opens no connection, and those that it has are lost."""
        domain, faults = self._running.pop(node)
        assert isinstance(node.router, S2sRouter)
        object.__setattr__(node.router._ports, "dial", lambda address, protocol: Deferred())
        faults.stop()
        self.wires.listen(Address(domain, 5269), None)
        for _, here, there in self.wires.ends:
            for end in (here, there):
                if end.protocol._ports.domains[0] == domain and not end.is_over:
                    end.is_over = True
                    end.other.break_off()
        self.counts[domain] = frozen(self.counts[domain])

    async def turn(self) -> None:
        await deferLater(self.clock, 0)

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.clock, condition)

    async def until_settled(self, from_: str, to: str, left: int) -> None:
        """Wait until at most `left` stanzas are not acknowledged to the sender."""
        await self.until(lambda: self._unacknowledged(from_, to) <= left)

    async def until_empty(self, from_: str, to: str) -> None:
        await self.until_settled(from_, to, 0)

    def _unacknowledged(self, from_: str, to: str) -> int:
        return sum(
            pair._queue.count
            for node, (domain, _) in self._running.items()
            if domain == from_ and isinstance(node.router, S2sRouter)
            for names, pair in node.router._pairs.items()
            if SERVED_BY.get(names.to, names.to) == to
        )

    def _count(self, to: str) -> Callable[[str, int], None]:
        def count(from_: str, number: int) -> None:
            self._faults.lost[from_, to] += number

        return count


def frozen(counts: MemoryCounts) -> MemoryCounts:
    """A copy of the counts, to which the crashed process adds nothing."""
    copy = MemoryCounts()
    copy._counts = dict(counts._counts)
    return copy
