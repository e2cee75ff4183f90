"""Nodes in memory: several nodes of one domain in one process, for tests and for the simulator."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from cluster.base.clock import Clock
from cluster.base.settled import Settled
from cluster.membership.port import Frame, Nodes, Server
from cluster.router.assignment import LinkAssignment

SILENCE_S = 3.0
"""After this time the others count a node as gone."""
RETRY_S = 0.01
"""Between two tries to claim an account that waits for the heir of its node."""
ACKNOWLEDGE_AFTER_S = 0.01
"""Entries that were read before this time are not read by an heir."""


class Entry(NamedTuple):
    """A frame from one node to another."""

    number: int
    from_: str
    frame: Any


class MemoryMembership:
    """The state that the nodes of one domain share. It outlives them: a frame waits until somebody reads it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.present: dict[str, MemoryNodes] = {}
        self.owners: dict[str, MemoryNodes] = {}
        self.inboxes: dict[str, deque[Entry]] = {}
        self.read: dict[str, deque[Entry]] = {}
        """Entries that were read, and are not acknowledged."""
        self.left: set[str] = set()
        """The nodes that are gone and have not been taken over."""
        self.sent = count(1)

    def reader_of(self, name: str) -> str:
        """The node that is to read the inbox of this node."""
        return name if name in self.present else min(self.present, default="")

    def crash(self, node: MemoryNodes) -> None:
        """Stop the node; the others miss it after a while."""
        node.is_silent = True
        self.clock.callLater(SILENCE_S, self.expel, node)

    def expel(self, node: MemoryNodes) -> None:
        """The node is gone: another one reads its inbox, then adopts its accounts."""
        if self.lose(node):
            heir = self.present.get(self.reader_of(node.name))
            if heir is not None:
                self.clock.callLater(0, heir.inherit, node)

    def lose(self, node: MemoryNodes) -> bool:
        """The node is gone, and the others are told; False if they know."""
        if node.is_gone:
            return False
        node.is_gone = True
        self.left.add(node.name)
        if self.present.get(node.name) is node:
            del self.present[node.name]
        for other in [*self.present.values()]:
            other.server.gone(node.name)
        return True


class MemoryShare(LinkAssignment):
    """All links go to the same node, the first one by its name."""

    def __init__(self, company: MemoryMembership, name: str) -> None:
        self._company = company
        self._name = name

    @override
    def is_ours(self, link: str) -> bool:
        return min(self._company.present, default=self._name) == self._name

    @override
    async def take(self, link: str) -> bool:
        return self.is_ours(link)

    @override
    def give_back(self, link: str) -> None:
        """Nothing was taken."""

    @override
    def holds_lease(self) -> bool:
        """No node of a membership in memory declares a living one dead."""
        return True


class MemoryNodes(Nodes):
    """One node; those of a domain share a `MemoryMembership`."""

    def __init__(self, company: MemoryMembership, name: str, clock: Clock | None = None) -> None:
        """`clock`: of its process, in which nothing happens any more once that has crashed."""
        self.name = name
        self._clock = clock or company.clock
        self.share = MemoryShare(company, name)
        self.server: Server
        self.is_silent = False
        self.is_gone = False
        self.company = company
        self._uses: dict[str, int] = {}
        self._inherited: set[str] = set()
        self._inherits = False
        self._reads = False

    @property
    @override
    def is_alone(self) -> bool:
        return len(self.company.present) <= 1 and not self.company.left

    @override
    def claim(self, localpart: str) -> Deferred[str]:
        """An account of a node that is gone waits until that has an heir."""
        claimed: Deferred[str] = Deferred()
        self._try_claim(localpart, claimed)
        return claimed

    def _try_claim(self, localpart: str, claimed: Deferred[str]) -> None:
        owner = self.company.owners.setdefault(localpart, self)
        waits = localpart in self._inherited and not self._inherits
        if owner is self and not waits:
            self._uses[localpart] = self._uses.get(localpart, 0) + 1
        elif waits or self.company.present.get(owner.name) is not owner:
            self._clock.callLater(RETRY_S, self._try_claim, localpart, claimed)
            return
        claimed.callback(owner.name)

    @override
    def claim_again(self, localpart: str) -> None:
        self._uses[localpart] += 1

    @override
    def release(self, localpart: str) -> None:
        self._uses[localpart] -= 1
        if not self._uses[localpart]:
            del self._uses[localpart]
            if self.company.owners.get(localpart) is self:
                del self.company.owners[localpart]

    @override
    def send(self, node: str, frame: Frame) -> Settled:
        entry = Entry(next(self.company.sent), self.name, frame)
        self.company.inboxes.setdefault(node, deque()).append(entry)
        self.company.clock.callLater(0, self._deliver, node)
        return None

    def _deliver(self, node: str) -> None:
        reader = self.company.present.get(node)
        if reader is not None and reader._reads:
            reader.read(node)

    @override
    async def start(self, server: Server) -> None:
        former = self.company.present.get(self.name)
        self.server = server
        self.company.present[self.name] = self
        if former is not None:
            if self.company.lose(former):
                self.inherit(former)
            return
        left = dict.fromkeys(owner for owner in self.company.owners.values() if owner.name == self.name)
        for each in left:
            self.inherit(each)
        if not left:
            self._read_again(self.name)

    @override
    async def stop(self) -> None:
        self.company.expel(self)

    def read(self, node: str) -> None:
        """Handle the frames in this inbox."""
        inbox, read = self.company.inboxes.get(node, deque()), self.company.read.setdefault(node, deque())
        while inbox and not self.is_silent:
            entry = inbox.popleft()
            read.append(entry)
            self._clock.callLater(ACKNOWLEDGE_AFTER_S, self._acknowledge, read, entry)
            self.server.take(entry.from_, entry.frame, f"{entry.from_}:{entry.number}-0:0")

    def _acknowledge(self, read: deque[Entry], entry: Entry) -> None:
        if not self.is_silent and entry in read:
            read.remove(entry)

    def _read_again(self, node: str) -> None:
        """Handle the frames in this inbox, starting with unacknowledged ones."""
        self._reads = True
        self.company.inboxes.setdefault(node, deque()).extendleft(reversed(self.company.read.pop(node, deque())))
        self.read(node)

    def inherit(self, node: MemoryNodes) -> None:
        """Take over from this node."""
        left = [localpart for localpart, owner in self.company.owners.items() if owner is node]
        self.company.owners.update(dict.fromkeys(left, self))
        self._inherited.update(left)
        Deferred.fromCoroutine(self._take_over(node.name, left)).addErrback(_failed)

    async def _take_over(self, node: str, left: list[str]) -> None:
        self._inherits = True
        for localpart in left:
            await self.claim(localpart)
            await self.server.restore(localpart)
        self._read_again(node)
        self._inherits = False
        for localpart in left:
            self._inherited.discard(localpart)
            await self.server.adopt(localpart)
            self.release(localpart)
        self.company.left.discard(node)


def _failed(failure: Failure) -> None:
    Logger().failure("Taking over what a node has left", failure)
