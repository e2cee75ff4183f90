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
"""Entries that settled before this time are not read by an heir."""


class Entry(NamedTuple):
    """A frame from one node to another."""

    number: int
    from_: str
    frame: Any


def _home(node: str) -> str:
    """The name of the inbox that only the node itself reads."""
    return f"home {node}"


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
        self.clock.callLater(SILENCE_S, self.fence, node)

    def fence(self, node: MemoryNodes) -> None:
        """The node is gone: another one reads its inbox, then adopts its accounts."""
        if self.lose(node):
            heir = self.present.get(self.reader_of(node.name))
            if heir is not None:
                self.clock.callLater(0, heir.inherit, node)

    def lose(self, node: MemoryNodes) -> bool:
        """The node is gone, and the others that live are told; False if they know."""
        if node.is_gone:
            return False
        node.is_gone = True
        self.left.add(node.name)
        if self.present.get(node.name) is node:
            del self.present[node.name]
        for other in [each for each in self.present.values() if not each.is_silent]:
            other.server.gone(node.name)
        return True


class MemoryShare(LinkAssignment):
    """All links go to the same node, the first one by its name."""

    def __init__(self, membership: MemoryMembership, name: str) -> None:
        self._membership = membership
        self._name = name

    @override
    def is_ours(self, link: str) -> bool:
        return min(self._membership.present, default=self._name) == self._name

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

    def __init__(self, membership: MemoryMembership, name: str, clock: Clock | None = None) -> None:
        """`clock`: of its process, in which nothing happens any more once that has crashed."""
        self.name = name
        self._clock = clock or membership.clock
        self.share = MemoryShare(membership, name)
        self.server: Server
        self.is_silent = False
        self.is_gone = False
        self._left_to_it: list[MemoryNodes] = []
        """Nodes that it was to take over from when it had crashed itself; its heir does."""
        self.membership = membership
        self._uses: dict[str, int] = {}
        self._waiting: dict[str, list[Deferred[str]]] = {}
        self._inherited: set[str] = set()
        self._inherits = False
        self._reads = False

    @property
    @override
    def is_alone(self) -> bool:
        return len(self.membership.present) <= 1 and not self.membership.left

    @override
    def claim(self, localpart: str) -> Deferred[str]:
        """An account of a node that is gone waits until that has an heir."""
        claimed: Deferred[str] = Deferred()
        if localpart in self._waiting and not self._inherits:
            self._waiting[localpart].append(claimed)
        else:
            self._try_claim(localpart, [claimed])
        return claimed

    def _try_claim(self, localpart: str, claims: list[Deferred[str]]) -> None:
        owner = self.membership.owners.setdefault(localpart, self)
        is_left = owner is not self and self.membership.present.get(owner.name) is not owner
        if is_left or (localpart in self._inherited and not self._inherits):
            waiting = self._waiting.setdefault(localpart, claims)
            if waiting is claims:
                self._clock.callLater(RETRY_S, self._try_again, localpart, claims)
            else:
                waiting += claims
        else:
            self._answer(localpart, claims)

    def _try_again(self, localpart: str, claims: list[Deferred[str]]) -> None:
        if self._waiting.get(localpart) is claims:
            del self._waiting[localpart]
            self._try_claim(localpart, claims)

    def _answer(self, localpart: str, claims: list[Deferred[str]]) -> None:
        owner = self.membership.owners[localpart]
        if owner is self:
            self._uses[localpart] = self._uses.get(localpart, 0) + len(claims)
        for claimed in claims:
            claimed.callback(owner.name)

    @override
    def claim_again(self, localpart: str) -> None:
        self._uses[localpart] += 1

    @override
    def release(self, localpart: str) -> None:
        self._uses[localpart] -= 1
        if not self._uses[localpart]:
            del self._uses[localpart]
            if self.membership.owners.get(localpart) is self:
                del self.membership.owners[localpart]

    @override
    def send(self, node: str, frame: Frame) -> Settled:
        return self._put(node, node, frame)

    @override
    def send_home(self, node: str, frame: Frame) -> Settled:
        return self._put(_home(node), node, frame)

    def _put(self, inbox: str, node: str, frame: Frame) -> Settled:
        entry = Entry(next(self.membership.sent), self.name, frame)
        self.membership.inboxes.setdefault(inbox, deque()).append(entry)
        self.membership.clock.callLater(0, self._deliver, inbox, node)
        return None

    def _deliver(self, inbox: str, node: str) -> None:
        reader = self.membership.present.get(node)
        if reader is not None and reader._reads:
            reader.read(inbox)

    @override
    async def start(self, server: Server) -> None:
        former = self.membership.present.get(self.name)
        self.server = server
        self.membership.present[self.name] = self
        if former is not None:
            if self.membership.lose(former):
                self.inherit(former)
            return
        left = dict.fromkeys(owner for owner in self.membership.owners.values() if owner.name == self.name)
        for each in left:
            self.inherit(each)
        if not left:
            self._read_again(self.name)

    @override
    async def stop(self) -> None:
        self.membership.fence(self)

    def read(self, name: str) -> None:
        """Handle the frames in this inbox."""
        inbox, read = self.membership.inboxes.get(name, deque()), self.membership.read.setdefault(name, deque())
        while inbox and not self.is_silent:
            entry = inbox.popleft()
            read.append(entry)
            settled = self.server.take(entry.from_, entry.frame, f"{entry.from_}:{entry.number}-0:0")
            if settled is None:
                self._acknowledge_later(None, read, entry)
            else:
                settled.addBoth(self._acknowledge_later, read, entry)

    def _acknowledge_later(self, result: Any, read: deque[Entry], entry: Entry) -> Any:
        self._clock.callLater(ACKNOWLEDGE_AFTER_S, self._acknowledge, read, entry)
        return result

    def _acknowledge(self, read: deque[Entry], entry: Entry) -> None:
        if not self.is_silent and entry in read:
            read.remove(entry)

    def _read_again(self, node: str) -> None:
        """Handle the frames in this inbox, starting with unacknowledged ones."""
        self._reads = True
        for name in (node, _home(node)) if node == self.name else (node,):
            read = self.membership.read.pop(name, deque())
            self.membership.inboxes.setdefault(name, deque()).extendleft(reversed(read))
            self.read(name)

    def inherit(self, node: MemoryNodes) -> None:
        """Take over from this node."""
        if self.is_silent:
            self._left_to_it.append(node)
            return
        for each in node._left_to_it:
            self.inherit(each)
        left = [localpart for localpart, owner in self.membership.owners.items() if owner is node]
        self.membership.owners.update(dict.fromkeys(left, self))
        self._inherited.update(left)
        Deferred.fromCoroutine(self._take_over(node.name, left)).addErrback(_failed)

    async def _take_over(self, node: str, left: list[str]) -> None:
        for localpart in left:
            self._uses[localpart] = self._uses.get(localpart, 0) + 1
            await self.server.restore(localpart)
        self._inherits = True  # for what the node was sent; all other claims wait for the adoption
        self._read_again(node)
        self._inherits = False
        for localpart in left:
            self._inherited.discard(localpart)
            await self.server.adopt(localpart)
            self._try_again(localpart, self._waiting.get(localpart, []))
            self.release(localpart)
        self.membership.left.discard(node)


def _failed(failure: Failure) -> None:
    Logger().failure("Taking over what a node has left", failure)
