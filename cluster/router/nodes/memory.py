"""Nodes in memory: the processes of one domain that are none, for tests and for the simulator."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred, succeed

from cluster.router.nodes.port import Frame, Server
from cluster.router.port import Settled

SILENCE_S = 3.0
"""After so long the others take a node for gone."""


class MemoryCompany:
    """What the nodes of one domain share. It outlives them: what a node is sent waits until somebody reads it."""

    def __init__(self, clock: Any) -> None:
        """`clock` is an IReactorTime."""
        self.clock = clock
        self.present: dict[str, MemoryNodes] = {}
        self.owners: dict[str, MemoryNodes] = {}
        self.inboxes: dict[str, deque[tuple[str, Any]]] = {}

    def reader_of(self, name: str) -> str:
        """The node that is to read this."""
        return name if name in self.present else min(self.present, default="")

    def crash(self, node: MemoryNodes) -> None:
        """It does nothing any more; the others miss it after a while."""
        node.is_silent = True
        self.clock.callLater(SILENCE_S, self.expel, node)

    def expel(self, node: MemoryNodes) -> None:
        """It is gone: another one reads its inbox, then adopts its accounts."""
        if node.is_gone:
            return
        node.is_gone = True
        if self.present.get(node.name) is node:
            del self.present[node.name]
        for other in [*self.present.values()]:
            other.server.gone(node.name)
        heir = self.present.get(self.reader_of(node.name))
        if heir is not None:
            self.clock.callLater(0, heir.inherit, node)


class MemoryShare:
    """A `Share`: all links go to the same node."""

    def __init__(self, company: MemoryCompany, name: str) -> None:
        self._company = company
        self._name = name

    def is_ours(self, link: str) -> bool:
        """The first one reads them."""
        return min(self._company.present, default=self._name) == self._name

    async def take(self, link: str) -> bool:
        """Nobody is in the way."""
        return self.is_ours(link)

    def give_back(self, link: str) -> None:
        """Nothing was taken."""


class MemoryNodes:
    """A `Nodes`."""

    def __init__(self, company: MemoryCompany, name: str) -> None:
        self.name = name
        self.share = MemoryShare(company, name)
        self.server: Server
        self.is_silent = False
        self.is_gone = False
        self.company = company
        self._uses: dict[str, int] = {}

    @property
    def is_alone(self) -> bool:
        """See `Nodes`."""
        return len(self.company.present) <= 1

    def claim(self, localpart: str) -> Deferred[str]:
        """See `Nodes`. An account of a node that is gone waits until that has an heir."""
        owner = self.company.owners.setdefault(localpart, self)
        if owner is self:
            self._uses[localpart] = self._uses.get(localpart, 0) + 1
        elif self.company.present.get(owner.name) is not owner:
            waiting: Deferred[str] = Deferred()
            self.company.clock.callLater(0.01, lambda: self.claim(localpart).chainDeferred(waiting))
            return waiting
        return succeed(owner.name)

    def release(self, localpart: str) -> None:
        """See `Nodes`."""
        self._uses[localpart] -= 1
        if not self._uses[localpart]:
            del self._uses[localpart]
            if self.company.owners.get(localpart) is self:
                del self.company.owners[localpart]

    def send(self, node: str, frame: Frame) -> Settled:
        """See `Nodes`."""
        self.company.inboxes.setdefault(node, deque()).append((self.name, frame))
        self.company.clock.callLater(0, self._deliver, node)
        return None

    def _deliver(self, node: str) -> None:
        reader = self.company.present.get(node)
        if reader is not None:
            reader.read(node)

    async def start(self, server: Server) -> None:
        """See `Nodes`."""
        former = self.company.present.get(self.name)
        self.server = server
        self.company.present[self.name] = self
        if former is not None:
            self.company.expel(former)
        else:
            self.read(self.name)
            for left in {owner for owner in self.company.owners.values() if owner.name == self.name}:
                self.inherit(left)

    async def stop(self) -> None:
        """See `Nodes`."""
        self.company.expel(self)

    def read(self, node: str) -> None:
        """Take what is in this inbox."""
        inbox = self.company.inboxes.get(node, deque())
        while inbox and not self.is_silent:
            self.server.take(*inbox.popleft())

    def inherit(self, node: MemoryNodes) -> None:
        """Read the inbox of a node that is gone, and adopt its accounts."""
        left = [localpart for localpart, owner in self.company.owners.items() if owner is node]
        self.company.owners.update(dict.fromkeys(left, self))
        self.read(node.name)
        for localpart in left:
            Deferred.fromCoroutine(self._adopt(localpart))

    async def _adopt(self, localpart: str) -> None:
        await self.claim(localpart)
        await self.server.adopt(localpart)
        self.release(localpart)
