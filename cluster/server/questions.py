"""Requests that the server makes in the name of its accounts, and the answers for which it waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred

from cluster.base.clock import Clock
from cluster.base.settled import Settled
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make

ANSWER_TIMEOUT_S = 30.0
"""How long an answer is waited for."""
MAX_ASKED = 10_000
"""Requests of one domain that wait for an answer; beyond, the oldest is given up, since most answers come at once."""

Answer = Stanza | None
"""None: an error, or nothing in time."""


@dataclass(frozen=True, slots=True)
class _Asked:
    by: Jid
    whom: Jid
    answered: Deferred[Answer]
    timeout: DelayedCall


class Questions:
    """Asks in the name of accounts; the answers are for their bare JIDs."""

    def __init__(self, route: Callable[[Stanza], Settled], new_id: Callable[[], str], clock: Clock) -> None:
        self._route = route
        self._new_id = new_id
        self._clock = clock
        self._asked: dict[str, _Asked] = {}

    def ask(self, by: Jid, whom: Jid, payload: Element) -> Deferred[Answer]:
        """Send an iq of type get; fires with the result, or None."""
        if len(self._asked) >= MAX_ASKED:
            self._fire(next(iter(self._asked)), None)
        id = self._new_id()
        answered: Deferred[Answer] = Deferred()
        timeout = self._clock.callLater(ANSWER_TIMEOUT_S, self._fire, id, None)
        self._asked[id] = _Asked(by, whom, answered, timeout)
        settled = self._route(make("iq", from_=by, to=whom, id=id, type="get", payload=[payload]))
        if settled is not None:
            settled.addErrback(self._failed, id)
        return answered

    def answered(self, answer: Stanza) -> None:
        """A result or an error arrived for an account; it counts if it is from the JID that was asked."""
        asked = self._asked.get(answer.id or "")
        if asked is None or answer.from_ is None:
            return
        if answer.from_ == asked.whom and (answer.to or answer.from_.bare) == asked.by:
            self._fire(answer.id or "", answer if answer.type == "result" else None)

    def _failed(self, failure: object, id: str) -> None:
        self._fire(id, None)

    def _fire(self, id: str, answer: Answer) -> None:
        asked = self._asked.pop(id, None)
        if asked is None:
            return
        if asked.timeout.active():
            asked.timeout.cancel()
        # not inside `ask`: a caller whose callback asks the next JID would recurse through all that do not exist
        self._clock.callLater(0, asked.answered.callback, answer)
