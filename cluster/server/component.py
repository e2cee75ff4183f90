"""An external component (XEP-0114) as its domain sees it: an address whose stream comes and goes."""

from __future__ import annotations

from collections import deque

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred

from cluster.router.port import Bounce, Settled
from cluster.server.outbox import Outbox
from cluster.server.turn import Clock
from cluster.trace.hop import Event, Tracer
from cluster.xmpp.component_stanza import into_stream
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza

WAIT_S = 30.0
"""How long a stanza waits for a component that is away. One that restarts is back in a few seconds."""
MAX_WAITING = 100
"""Stanzas that wait for one component. They are unsettled, so that a crash does not lose them; together with those of
a second component that is away they must not fill the link that they came over (MAX_UNSETTLED of router/gate.py)."""


class Component:
    """One component that the topology knows.

    While it is away, what is for it waits, and is then refused with remote-server-timeout: a "service specified as
    part of the JID of the intended recipient" with which "communications could not be established within a reasonable
    amount of time" (RFC 6120 section 8.3.3.16), of type wait. XEP-0114 says nothing of it.
    """

    def __init__(self, domain: str, secret: str, clock: Clock, tracer: Tracer) -> None:
        self.domain = domain
        self.secret = secret
        self._clock = clock
        self._tracer = tracer
        self._bounce: Bounce | None = None
        self._outbox: Outbox | None = None
        self._waiting: deque[tuple[Stanza, Deferred[None], DelayedCall]] = deque()

    def start(self, bounce: Bounce) -> None:
        """`bounce` answers what could not be delivered."""
        self._bounce = bounce

    @property
    def is_connected(self) -> bool:
        """True while a stream is joined."""
        return self._outbox is not None

    def send(self, stanza: Stanza) -> Settled:
        """Deliver it, now or when the component is there."""
        if self._outbox is None:
            return self._wait(stanza)
        self._outbox.send(into_stream(stanza))
        self._tracer.record(Event.DELIVERED, stanza, f"component {self.domain}")
        return None

    def attach(self, outbox: Outbox) -> None:
        """The component joined: first what waited for it, in order."""
        self._outbox = outbox
        waiting, self._waiting = self._waiting, deque()
        for stanza, settled, timer in waiting:
            timer.cancel()
            self.send(stanza)
            settled.callback(None)

    def detach(self) -> None:
        """Its stream is over; what never reached the transport waits for the next one."""
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            for stanza in outbox.take_unsent():
                self._wait(stanza)

    def stop(self) -> None:
        """The server stops: whoever waits hears of it."""
        while self._waiting:
            self._waiting[0][2].cancel()
            self._give_up_first()

    def _wait(self, stanza: Stanza) -> Settled:
        if len(self._waiting) >= MAX_WAITING:
            self._refuse(stanza)
            return None
        settled: Deferred[None] = Deferred()
        self._waiting.append((stanza, settled, self._clock.callLater(WAIT_S, self._give_up_first)))
        self._tracer.record(Event.ENQUEUED, stanza, f"until component {self.domain} is connected")
        return settled

    def _give_up_first(self) -> None:
        stanza, settled, _ = self._waiting.popleft()  # all wait equally long, so the first is the one that is due
        self._refuse(stanza)
        settled.callback(None)

    def _refuse(self, stanza: Stanza) -> None:
        assert self._bounce is not None, "a stanza came before the domain was started"
        text = f"{self.domain} is not connected to its server"
        self._bounce(stanza, StanzaError(Condition.REMOTE_SERVER_TIMEOUT, text))
