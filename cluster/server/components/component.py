"""An external component (XEP-0114), on the side of its domain: an address whose stream comes and goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred

from cluster.base import reasons
from cluster.base.settled import Settled
from cluster.base.turn import Turn
from cluster.server.config import Ports
from cluster.server.routing import Routing
from cluster.streams.outbox import MAX_UNSENT_BYTES, Outbox
from cluster.trace.hop import Event
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.limits import CARRIED, TO_COMPONENT
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.stanza_id import with_id_of_mark, with_stanza_id
from cluster.xmpp.streams.component import ComponentStream
from cluster.xmpp.streams.content_namespace import into_stream
from cluster.xmpp.wellformed import why_too_large

WAIT_S = 30.0
"""How long a stanza waits for a component that is away. A component that restarts is back in a few seconds."""
MAX_WAITING = 100
"""Stanzas that wait for one component, or that keep the entry of a link unsettled until the component acknowledges
them, so that a crash does not lose them; together with those of a second component that is away they must not fill the
link that they came over (MAX_UNSETTLED of router/guard.py)."""

MAX_AWAITED = 8
"""Stanzas at the component whose acknowledgement a sender at this node waits for; further ones go over the link of the
domain to itself, so that the server reads on from a client (MAX_UNSETTLED of server/c2s/client_stream.py)."""

ALONE_AFTER = 2
"""Streams that ended before the component acknowledged a stanza; the stanza is then sent alone, to find the one that
ends the streams."""
MAX_TRIES = 5
"""Streams on which a stanza is written; then it returns to its sender.

A component that crashes for other reasons is back sooner; and a stanza that ends streams must not keep all others from
the component forever.
"""


class _Pending:
    """A stanza that a component does not have yet, as far as is known."""

    __slots__ = ("is_pipelined", "settled", "stanza", "timer", "tries")

    def __init__(self, stanza: Stanza) -> None:
        self.stanza = stanza
        self.settled: Deferred[None] = Deferred()
        self.is_pipelined = False
        """It was written to a stream, and is not acknowledged."""
        self.timer: DelayedCall | None = None
        self.tries = 0
        """The number of streams on which it was written, and not acknowledged before their end."""


class ComponentOutbox(Outbox):
    """Stanzas on their way to a component; `done` gets the number of further ones that it has, the oldest first.

    It has them when it acknowledges them, or when they are written if it does not acknowledge.
    """

    def __init__(
        self,
        turn: Turn,
        write: Callable[[bytes], None],
        end: Callable[[StreamError], None],
        stream: ComponentStream,
        done: Callable[[int], None],
    ) -> None:
        super().__init__(turn, write, end)
        self._stream = stream
        self._done = done

    def flush(self) -> None:
        """Write the waiting stanzas, if the component reads."""
        super().flush()
        management = self._stream.management
        if management is not None and management.size_bytes > MAX_UNSENT_BYTES:
            self.end(StreamCondition.POLICY_VIOLATION, "the component does not acknowledge what it is sent")

    def _on_wire(self, stanzas: list[Stanza]) -> bytes:
        data = super()._on_wire(stanzas) + self._stream.written(stanzas)
        if self._stream.management is None:
            self._done(len(stanzas))
        return data


class Component:
    """One component of the topology.

    While it is away, its stanzas wait, including those that it was sent and has not acknowledged. They are then refused
    with remote-server-timeout: a "service specified as part of the JID of the intended recipient" with which
    "communications could not be established within a reasonable amount of time" (RFC 6120 section 8.3.3.17), of type
    wait. XEP-0114 does not define it.
    """

    def __init__(self, domain: str, secret: str, ports: Ports, routing: Routing) -> None:
        self.domain = domain
        self.secret = secret
        self._clock = ports.clock
        self._tracer = ports.tracer
        self._new_id = ports.new_id
        self._routing = routing
        self._outbox: Outbox | None = None
        self._sent: deque[_Pending] = deque()
        """Passed to its stream."""
        self._waiting: deque[_Pending] = deque()
        self._underway = 0
        """Stanzas of senders at this node that are in the link of the domain to itself; later ones go the same way."""

    @property
    def is_connected(self) -> bool:
        """Whether a stream is joined."""
        return self._outbox is not None

    def deliver(self, stanza: Stanza, place: str) -> Settled:
        """A sender at this node does not wait for a component that is away or slow: its stanza does, in a link."""
        if place:
            if self._underway and self._routing.is_of_own_link(place):
                self._underway -= 1
            return self._take(with_id_of_mark(stanza, self._routing.jid) or stanza)
        if len(stanza.raw) > CARRIED.max_bytes:
            return self._routing.too_large(stanza)
        if stanza.kind == "message":  # it may arrive twice, and is then recognised by its id
            by = self._routing.jid
            stanza = with_id_of_mark(stanza, by) or with_stanza_id(stanza, self._new_id(), by)
        if self._outbox is None or self._waiting or self._underway or len(self._sent) >= MAX_AWAITED:
            self._underway += 1
            return self._routing.over_own_link(stanza)
        return self._take(stanza)

    def _take(self, stanza: Stanza) -> Settled:
        """Send it, now or when the component is connected."""
        if len(self._waiting) >= MAX_WAITING:
            self._refuse(_Pending(stanza), self._away())
            return None
        pending = _Pending(stanza)
        if self._outbox is None or self._waiting:  # the second stream: until it is known which stanza ends the streams
            self._wait(pending)
        else:
            self._pass(self._outbox, pending)
        return pending.settled if len(self._sent) <= MAX_WAITING else None

    def reply(self, stanza: Stanza) -> None:
        """Answer a stanza of the component that cannot be routed."""
        self._take(stanza)

    def attach(self, outbox: Outbox) -> None:
        """The component is connected: send the waiting stanzas first, in order."""
        self._outbox = outbox
        self._go_on()

    def done(self, count: int) -> None:
        """The component has `count` more stanzas."""
        for _ in range(count):
            self._sent.popleft().settled.callback(None)
        if self._waiting:
            self._go_on()

    def _go_on(self) -> None:
        """Send waiting stanzas; one that may have ended earlier streams goes alone, and the next when it is
        acknowledged."""
        while self._waiting and self._outbox is not None:
            is_suspect = self._waiting[0].tries >= ALONE_AFTER
            if self._sent and (is_suspect or self._sent[-1].tries >= ALONE_AFTER):
                return
            pending = self._waiting[0]
            self._take_back(pending)
            self._pass(self._outbox, pending)

    def detach(self) -> None:
        """Its stream has ended; stanzas that it may not have wait for the next one, even beyond MAX_WAITING."""
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            unsent = len(outbox.take_unsent())
            sent, self._sent = self._sent, deque()
            later, self._waiting = self._waiting, deque()
            for index, pending in enumerate(sent):
                if index < len(sent) - unsent:
                    pending.is_pipelined = True
                    pending.tries += 1
                self._wait(pending)
            self._waiting.extend(later)
            self._give_up_on_first()

    def stop(self) -> None:
        """The server stops: return the waiting stanzas to their senders.

        Except those that the component may have: if they came over a link, they stay there, and are read again.
        """
        for pending in [*self._waiting]:
            self._take_back(pending)
            if not pending.is_pipelined:
                self._refuse(pending, self._away())

    def _give_up_on_first(self) -> None:
        """Return the stanza that ended the last streams, once it is known (RFC 6120 section 13.12)."""
        if self._waiting and self._waiting[0].tries >= MAX_TRIES:
            pending = self._waiting[0]
            self._take_back(pending)
            text = f"{self.domain} ended its stream {MAX_TRIES} times when it was sent this"
            self._refuse(pending, StanzaError(Condition.POLICY_VIOLATION, text, reason=reasons.REFUSED))

    def _pass(self, outbox: Outbox, pending: _Pending) -> None:
        made = into_stream(pending.stanza)
        if text := why_too_large(made.raw, TO_COMPONENT.max_bytes):
            self._refuse(pending, StanzaError(Condition.POLICY_VIOLATION, text, reason=reasons.TOO_LARGE))
            return
        self._sent.append(pending)
        self._tracer.record(Event.DELIVERED, pending.stanza, f"component {self.domain}")
        outbox.send(made)

    def _wait(self, pending: _Pending) -> None:
        pending.timer = self._clock.callLater(WAIT_S, self._give_up, pending)
        self._waiting.append(pending)
        detail = f"until component {self.domain} is connected"
        self._tracer.record(Event.ENQUEUED, pending.stanza, detail, reason=reasons.COMPONENT_AWAY)

    def _give_up(self, pending: _Pending) -> None:
        self._take_back(pending)
        self._refuse(pending, self._away())

    def _take_back(self, pending: _Pending) -> None:
        self._waiting.remove(pending)
        assert pending.timer is not None
        if pending.timer.active():
            pending.timer.cancel()

    def _away(self) -> StanzaError:
        text = f"{self.domain} is not connected to its server"
        return StanzaError(Condition.REMOTE_SERVER_TIMEOUT, text, reason=reasons.COMPONENT_AWAY)

    def _refuse(self, pending: _Pending, error: StanzaError) -> None:
        refused = self._routing.bounce(pending.stanza, error)
        if refused is None:
            pending.settled.callback(None)
        else:
            refused.addBoth(_settle, pending.settled)


def _settle(result: object, settled: Deferred[None]) -> object:
    """The error is safe on its way, or could not be sent either."""
    settled.callback(None)
    return result
