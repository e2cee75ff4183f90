"""A router in memory: many domains in one process, for tests and for the simulator."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.base import reasons
from cluster.base.clock import Clock
from cluster.base.settled import Settled
from cluster.base.turn import Stage, Turn
from cluster.router.guard import LinkGuard
from cluster.router.link_faults import LinkFaults
from cluster.router.port import QUEUE, HopRecorder, Receiver, no_link
from cluster.router.reader import EntrySink
from cluster.router.realm import NO_COMPONENTS
from cluster.router.settings import FaultSettings
from cluster.xmpp.copies import Copies, each_of
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza


class Entry:
    """The stanzas that one domain sent to another in one turn."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.items: list[Stanza | Copies] = []
        self.settled: Deferred[None] = Deferred()


class Queue:
    """One direction between two domains: the entries that have not settled."""

    def __init__(self) -> None:
        self.entries: dict[Entry, None] = {}
        """Oldest first."""
        self.unread: deque[Entry] = deque()
        """Those that the reader of the link has not taken."""
        self.written = 0


class MemoryNetwork:
    """The state that the routers of one network share. It outlives them: entries for a stopped domain wait."""

    def __init__(
        self,
        clock: Clock,
        domains: Iterable[str],
        max_backlog: int = 100_000,
        served_by: Mapping[str, str] = NO_COMPONENTS,
        acknowledge_after_s: float = 0.0,
        is_linked: Callable[[str, str], bool] = lambda from_, to: True,
    ) -> None:
        """`domains`: the domains of the network; `max_backlog` entries wait per link. `served_by`: see `realm`.

        Entries that settled less than `acknowledge_after_s` ago are read again by the next reader, as in Redis.
        `is_linked`: whether a link leads from one of these domains to another.
        """
        self.clock = clock
        self.domains = frozenset(domains)
        self.is_linked = is_linked
        self.max_backlog = max_backlog
        self.served_by = served_by
        self.acknowledge_after_s = acknowledge_after_s
        self.readers: dict[str, MemoryRouter] = {}
        self.lost: Counter[tuple[str, str]] = Counter()
        """Stanzas that faults lost, by link: from and to."""
        self._running: dict[str, dict[MemoryRouter, None]] = {}
        """By domain; one of them is its reader."""
        self._queues: dict[str, dict[str, Queue]] = {}
        """By the domain that a queue leads to, and the one that writes to it."""
        self._faults: dict[str, dict[str, bytes]] = {}

    def router(
        self, domain: str, tracer: HopRecorder, clock: Clock | None = None, turn: Turn | None = None
    ) -> MemoryRouter:
        """A new router of this domain; when started, it replaces an earlier one.

        `clock`, `turn`: of its process, in which nothing happens any more once that has crashed; see `forget`.
        """
        clock = clock or self.clock
        return MemoryRouter(self, domain, tracer, clock, turn or Turn(clock))

    def forget(self, router: MemoryRouter) -> bool:
        """The process of this router has crashed: what it had not written, or not acknowledged, is for the next one.

        True where it was the reader of its domain.
        """
        self._running.get(router.domain, {}).pop(router, None)
        is_reader = self.readers.get(router.domain) is router
        if is_reader:
            del self.readers[router.domain]
        return is_reader

    def run(self, router: MemoryRouter) -> None:
        """This router is the reader of its domain from now on."""
        self._running.setdefault(router.domain, {})[router] = None
        self.readers[router.domain] = router

    @property
    def waiting(self) -> int:
        """Entries that were written and have not settled."""
        return sum(len(queue.entries) for queues in self._queues.values() for queue in queues.values())

    def queues(self) -> Iterable[tuple[str, str, Queue]]:
        """All links that were ever used: from, to, and the queue."""
        return ((from_, to, queue) for to, queues in self._queues.items() for from_, queue in queues.items())

    def queue(self, from_: str, to: str) -> Queue:
        """The queue from one domain to the other."""
        queues = self._queues.setdefault(to, {})
        found = queues.get(from_)
        if found is None:
            found = queues[from_] = Queue()
        return found

    def faults(self, to: str) -> dict[str, bytes]:
        """The faults of the links into this domain, in the form of `LinkFaults.update`."""
        return dict(self._faults.get(to, {}))

    def set_faults(self, from_: str, to: str, settings: FaultSettings) -> None:
        """Replace the faults of one link."""
        self._faults.setdefault(to, {})[from_] = msgspec.json.encode(settings)
        for router in self._running.get(to, ()):
            router.faults.update(self.faults(to))

    def peers(self, to: str) -> list[str]:
        """The domains that have written to this one."""
        return [*self._queues.get(to, ())]


class MemoryRouter:
    """A `Router` of one domain."""

    def __init__(self, network: MemoryNetwork, domain: str, tracer: HopRecorder, clock: Clock, turn: Turn) -> None:
        self.network = network
        self.clock = clock
        self.turn = turn
        self.domain = domain
        self.tracer = tracer
        self._receiver: Receiver | None = None
        self._links: dict[str, MemoryLink] = {}
        self._gates: dict[str, EntrySink] = {}
        self.faults = LinkFaults(clock, domain, tracer, self._count, network.clock.seconds)

    def link(self, to_domain: str) -> MemoryLink:
        """The link to this domain."""
        found = self._links.get(to_domain)
        if found is None:
            found = self._links[to_domain] = MemoryLink(self, to_domain)
        return found

    def bounce(self, stanza: Stanza, error: StanzaError) -> None:
        """Answer a stanza that cannot be carried."""
        assert self._receiver is not None, "a stanza was sent before the router was started"
        self._receiver.bounce(stanza, error)

    async def start(self, receiver: Receiver) -> None:
        """Start to carry, first the entries that had not settled with an earlier router of this domain."""
        self._receiver = receiver
        self.network.run(self)
        self.faults.update(self.network.faults(self.domain))
        for from_ in self.network.peers(self.domain):
            queue = self.network.queue(from_, self.domain)
            queue.unread = deque(queue.entries)
            self.clock.callLater(0, self.read, from_)

    async def stop(self) -> None:
        """Stop reading, and write what is still queued."""
        self.network.forget(self)
        self.faults.stop()
        for link in self._links.values():
            link.flush()

    def read(self, from_: str) -> None:
        """Deliver the new entries of the link from this domain."""
        if not self._is_reader or self._receiver is None:
            return
        gate = self._gates.get(from_)
        if gate is None:
            network = self.network
            guard = LinkGuard(self.clock, from_, self.domain, network.served_by, self._receiver, self.tracer)
            gate = self._gates[from_] = self.faults.before(from_, guard, lambda: self.read(from_))
        queue = self.network.queue(from_, self.domain)
        while queue.unread and gate.may_read(0, 0):
            entry = queue.unread.popleft()
            if entry in queue.entries:  # an earlier router of the domain may have delivered it meanwhile
                self._take(gate, queue, entry)

    @property
    def _is_reader(self) -> bool:
        return self.network.readers.get(self.domain) is self

    def _count(self, from_: str, number: int) -> None:
        self.network.lost[from_, self.domain] += number

    def _take(self, gate: EntrySink, queue: Queue, entry: Entry) -> None:
        settled = gate.take(entry.id, entry.items)
        if settled is None:
            self._acknowledge(None, queue, entry)
        else:
            settled.addCallbacks(self._acknowledge, _still_to_settle, callbackArgs=(queue, entry))

    def _acknowledge(self, result: object, queue: Queue, entry: Entry) -> None:
        after_s = self.network.acknowledge_after_s
        if not after_s:
            self._remove(queue, entry)
        elif self._is_reader:
            self.clock.callLater(after_s, self._remove, queue, entry)

    def _remove(self, queue: Queue, entry: Entry) -> None:
        # not if an earlier router of the domain delivered it too, nor if a later one reads it again
        if self._is_reader or not self.network.acknowledge_after_s:
            queue.entries.pop(entry, None)


class MemoryLink:
    """A `Link`: stanzas of one turn are written at its end, and read in a later turn."""

    def __init__(self, router: MemoryRouter, to: str) -> None:
        self._router = router
        self._to = to
        self._entry: Entry | None = None

    def send(self, item: Stanza | Copies) -> Settled:
        """Carry it; see `Link`."""
        if self._entry is None:
            self._entry = Entry("")
            self._router.turn.add(self.flush, Stage.LINKS)
        self._entry.items.append(item)
        return self._entry.settled

    def flush(self) -> None:
        """Write the stanzas of this turn, or refuse them."""
        entry, self._entry = self._entry, None
        if entry is None:
            return
        network, router = self._router.network, self._router
        if self._to not in network.domains:
            text = f"nobody serves {self._to} here"
            self._refuse(entry, StanzaError(Condition.REMOTE_SERVER_NOT_FOUND, text, reason=reasons.NO_DOMAIN))
            return
        if not network.is_linked(router.domain, self._to):
            text = no_link(router.domain, self._to)
            self._refuse(entry, StanzaError(Condition.REMOTE_SERVER_NOT_FOUND, text, reason=reasons.NO_LINK))
            return
        queue = network.queue(router.domain, self._to)
        if len(queue.entries) >= network.max_backlog:
            text = f"{len(queue.entries)} batches wait for {self._to}"
            self._refuse(entry, StanzaError(Condition.REMOTE_SERVER_TIMEOUT, text, reason=reasons.LINK_FULL))
            return
        queue.written += 1
        entry.id = f"{int(network.clock.seconds() * 1000)}-{queue.written}"  # its time, as in Redis
        queue.entries[entry] = None
        queue.unread.append(entry)
        for item in entry.items:
            if item.trace_id:
                for stanza in each_of(item):
                    router.tracer.record("enqueued", stanza, f"to {self._to}", node=QUEUE)
        entry.settled.callback(None)
        reader = network.readers.get(self._to)
        if reader is not None:
            reader.clock.callLater(0, reader.read, router.domain)

    def _refuse(self, entry: Entry, error: StanzaError) -> None:
        for item in entry.items:
            for stanza in each_of(item):
                self._router.bounce(stanza, error)
        entry.settled.callback(None)


def _still_to_settle(failure: Failure) -> None:
    """The entry stays, for the next router of the domain."""
