"""Spreads expensive requests over turns of the reactor, so that all others are served in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from cluster.base.clock import Clock
from cluster.base.context import in_this_context
from cluster.base.settled import Settled
from cluster.server.sessions.session import Session
from cluster.xmpp.stanza import Stanza

MANY = 100
"""Contacts of an account and addresses that it blocks: beyond this, its presence and its requests to itself are
expensive, and one of them is done in each turn of the reactor."""


class Pace:
    """For the sessions of one domain. The stanzas of one session keep their order."""

    def __init__(self, clock: Clock, handle: Callable[[Session, Stanza], Settled]) -> None:
        """`handle` executes a stanza."""
        self._clock = clock
        self._handle = handle
        self.resting: dict[Session, deque[tuple[Stanza, Callable[..., Settled], Deferred[None]]]] = {}
        """Sessions whose next stanza is for `later`."""
        self._is_due = False

    def worked(self, session: Session) -> None:
        """Note that its work of this turn is done, if that was expensive."""
        account = session.account
        if len(account.roster) + len(account.barrier or ()) <= MANY or session in self.resting:
            return
        self.resting[session] = deque()
        self._see_to_it()

    def _see_to_it(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._clock.callLater(0, self._go_on)

    def later(self, session: Session, stanza: Stanza) -> Deferred[None]:
        """Handle it after the waiting ones; fires when it has settled."""
        settled: Deferred[None] = Deferred()
        self.resting[session].append((stanza, in_this_context(self._handle), settled))
        return settled

    def _go_on(self) -> None:
        resting, self._is_due = self.resting, False
        for _ in range(len(resting)):
            session = next(iter(resting))
            waiting = resting.pop(session)
            while waiting and session not in resting:
                stanza, handle, settled = waiting.popleft()
                if session.is_bound or stanza.kind != "presence":  # otherwise it has ended meanwhile
                    handled: Deferred[Any] = maybeDeferred(handle, session, stanza)
                    handled.chainDeferred(settled)
                else:
                    settled.callback(None)
            if session in resting:
                resting[session].extend(waiting)
                break
        if resting:
            self._see_to_it()
