"""Of which nodes each client wants to be notified (XEP-0060 section 9.2), by its capabilities; cached for a domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred

from cluster.xmpp.element import Element
from cluster.xmpp.extensions import caps
from cluster.xmpp.extensions.caps import INFO, Capabilities
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

MAX_CACHED = 4_096
"""Hashes whose meaning is known; beyond, the least recently used one is forgotten."""
MAX_WAITING = 10_000
"""Clients whose interests wait for an answer, their own or that of another client with the same hash. Beyond, those who
have waited longest are given up: a client that keeps on changing its hash does not keep others from being asked."""

Ask = Callable[[Jid, Jid, Element], Deferred[Stanza | None]]
"""As `Questions.ask`."""
_Hash = tuple[int, str, str]
"""Which XEP, the algorithm, and the hash; the rest says only where to ask."""
Then = Callable[[frozenset[str]], object]
"""Called with the names of the nodes."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    by: Jid
    whom: Jid
    capabilities: Capabilities
    then: Then


class Interests:
    """Asks one client of each hash; its answer counts for the others only if the answer has that hash."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._cached: dict[_Hash, frozenset[str]] = {}
        """The most recently used one is last."""
        self._waiting: dict[_Hash, list[_Waiting]] = {}
        """The first of each list is the one that was asked."""
        self._count = 0

    def learn(self, by: Jid, whom: Jid, capabilities: Capabilities, then: Then) -> None:
        """Call `then` with what a client wants, at once or when it is known; never if the client does not answer.

        `by`: the account to which it sent its presence, in whose name it is asked.
        """
        hash = _hash(capabilities)
        cached = self._cached.pop(hash, None)
        if cached is not None:
            self._cached[hash] = cached
            then(cached)
            return
        waiting = _Waiting(by, whom, capabilities, then)
        if not capabilities.algorithm:  # the answer counts for this client alone
            self._question(waiting).addCallback(_answered_for_itself, waiting)
            return
        if self._count >= MAX_WAITING:
            self._give_up(hash)
        self._count += 1
        if hash in self._waiting:
            self._waiting[hash].append(waiting)
        else:
            self._waiting[hash] = [waiting]
            self._ask_first(hash)

    def _give_up(self, kept: _Hash) -> None:
        """Give up all who wait for the oldest question; if it is that of `kept`, the one who has waited longest."""
        oldest = next(iter(self._waiting))
        if oldest != kept:
            self._count -= len(self._waiting.pop(oldest))
        elif len(self._waiting[kept]) > 1:
            self._count -= 1
            del self._waiting[kept][1]

    def _question(self, waiting: _Waiting) -> Deferred[Stanza | None]:
        node = waiting.capabilities.node if waiting.capabilities.algorithm else ""
        query = Element(f"{{{INFO}}}query", {"node": node} if node else {})
        return self._ask(waiting.by, waiting.whom, query)

    def _ask_first(self, hash: _Hash) -> None:
        waiting = self._waiting[hash]
        self._question(waiting[0]).addCallback(self._answered, hash, waiting)

    def _answered(self, answer: Stanza | None, hash: _Hash, waiting: list[_Waiting]) -> None:
        if self._waiting.get(hash) is not waiting:  # it was given up
            return
        asked, *others = self._waiting.pop(hash)
        self._count -= 1
        query = _query(answer)
        if query is not None and caps.is_proved(asked.capabilities, query):
            self._count -= len(others)
            self._cached[hash] = wanted = caps.interests(query)
            if len(self._cached) > MAX_CACHED:
                del self._cached[next(iter(self._cached))]
            for each in (asked, *others):
                each.then(wanted)
            return
        of_asked = [asked, *(each for each in others if each.whom == asked.whom)]
        others = [each for each in others if each.whom != asked.whom]
        self._count -= len(of_asked) - 1
        if others:  # the next one is asked itself (XEP-0115 section 5.4)
            self._waiting[hash] = others
            self._ask_first(hash)
        if query is not None:
            for each in of_asked:
                each.then(caps.interests(query))


def _answered_for_itself(answer: Stanza | None, waiting: _Waiting) -> None:
    if (query := _query(answer)) is not None:
        waiting.then(caps.interests(query))


def _hash(capabilities: Capabilities) -> _Hash:
    return capabilities.version, capabilities.algorithm, capabilities.hash


def _query(answer: Stanza | None) -> Element | None:
    return None if answer is None else answer.tree.find(f"{{{INFO}}}query")
