"""A client on a managed stream (XEP-0198): it loses nothing that it sent, and reconnects when its connection breaks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from cluster.client.blocking import BlockingClient
from cluster.xmpp.errors import StreamError
from cluster.xmpp.namespaces import CLIENT, SM
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams import sm
from cluster.xmpp.streams.login import Resumption, StreamFailed
from cluster.xmpp.streams.sasl import SaslError
from cluster.xmpp.streams.sm import StreamManagement, Unacknowledged

RETRY_S = 0.1
"""Pause between two attempts to reconnect. A server of the lab is down for seconds at the most."""

SEND_TIMEOUT_S = 20.0
"""A server that does not read for longer is considered dead."""

BROKEN = (OSError, StreamFailed, StreamError, SaslError)
"""The errors that end a connection, or an attempt to connect."""

_ACK, _REQUEST = f"{SM} a", f"{SM} r"
_STANZAS = frozenset({f"{CLIENT} message", f"{CLIENT} presence", f"{CLIENT} iq"})


class Break(msgspec.Struct):
    """One break of the connection, and its cost."""

    at_s: float
    """When the client noticed it, by its clock."""
    back_s: float | None = None
    """When the next stream was ready; None before that."""
    is_resumed: bool = False
    """The stream was resumed; otherwise the server did not know it, and a new session began."""
    tries: int = 0
    """Failed attempts: the server was down, or refused the login for now."""
    sent_again: int = 0
    """Stanzas that the server did not have."""


class Breaks(list[Break]):
    """All breaks of a client's connection, in order."""

    @property
    def resumed(self) -> int:
        """How often a stream was resumed."""
        return sum(each.back_s is not None and each.is_resumed for each in self)

    @property
    def new_sessions(self) -> int:
        """How often a new session began."""
        return sum(each.back_s is not None and not each.is_resumed for each in self)

    @property
    def refused(self) -> int:
        """Failed attempts to reconnect."""
        return sum(each.tries for each in self)


class ManagedClient:
    """Sends and receives; nothing happens between two calls. For one thread, except `cut`."""

    def __init__(
        self,
        connect: Callable[[Resumption | None], BlockingClient],
        greeting: Sequence[Stanza],
        now_s: Callable[[], float],
    ) -> None:
        """Connect, and raise what `connect` raises.

        `greeting` is sent on each new stream, such as the initial presence; `now_s` is a monotonic clock.
        """
        self.breaks = Breaks()
        self._connect = connect
        self.greeting = greeting
        self._now_s = now_s
        self._sm = StreamManagement()
        self._early: deque[Slice] = deque()
        self._acknowledged_before = 0
        self._h = 0
        self._away_until_s = 0.0
        self._is_cut = False
        self._pause = threading.Event()
        self._client: BlockingClient | None = None
        self._begin(connect(None))

    @property
    def is_connected(self) -> bool:
        """False from a break until the next `receive` that reconnects."""
        return self._client is not None

    @property
    def acknowledged(self) -> int:
        """How many of its stanzas the server has handled, greetings included; always the first ones."""
        return self._acknowledged_before + self._h

    def send(self, stanzas: Sequence[Stanza]) -> None:
        """Write stanzas now, or when the connection is back. They are kept until the server has acknowledged them."""
        request = self._sm.sent([Unacknowledged(stanza, 0.0) for stanza in stanzas])
        self._write(b"".join([stanza.raw for stanza in stanzas]) + request)

    def receive(self, timeout_s: float) -> Slice | None:
        """The next stanza, which counts as handled now; None if none came in time. Reconnects after a break."""
        if self._is_cut or self._client is None:
            self._come_back(timeout_s)
            return None
        if self._early:
            return self._early.popleft()
        try:
            child = self._client.receive(timeout_s)
            if child is None or self._is_cut:  # what was on the connection when it was cut did not arrive
                self._break_off()
            elif child.name in _STANZAS:
                self._sm.received(None)
                return child
            elif child.name == _REQUEST:
                self._write(self._sm.ack())
            elif child.name == _ACK:
                self._write(self._count(sm.read_count(child.attributes.get("h"))))
        except TimeoutError:
            return None
        except (*BROKEN, ValueError):
            self._break_off()
        return None

    def cut(self, away_s: float = 0.0) -> None:
        """Break the connection like a cable that is pulled, and do not reconnect for this time. May be called from any
        thread."""
        self._away_until_s = self._now_s() + away_s
        self._is_cut = True
        if (client := self._client) is not None:
            client.cut()

    def close(self) -> None:
        """Acknowledge what was received, and end the stream."""
        if self._client is not None:
            self._write(self._sm.ack())
        if self._client is not None:
            self._client.close()

    # --- breaks

    def _write(self, data: bytes) -> None:
        if data and self._client is not None:
            try:
                self._client.send(data, SEND_TIMEOUT_S)
            except OSError:
                self._break_off()

    def _break_off(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            self.breaks.append(Break(self._now_s()))
            client.cut()
            client.close()

    def _come_back(self, timeout_s: float) -> None:
        if self._is_cut:
            self._break_off()
            self._is_cut = False
        if (away_s := self._away_until_s - self._now_s()) > 0:
            self._pause.wait(min(timeout_s, away_s))
            return
        try:
            resumption = Resumption(self._jid, self._sm.id, self._sm.handled) if self._sm.id else None
            client = self._connect(resumption)
            if client.bound.is_resumed:
                self._resume(client)
            else:
                sent_again = self._begin(client)
                self._note_back(is_resumed=False, sent_again=sent_again)
        except BROKEN:
            self.breaks[-1].tries += 1
            self._away_until_s = self._now_s() + RETRY_S

    def _resume(self, client: BlockingClient) -> None:
        """Continue the stream (section 5)."""
        assert client.bound.h is not None
        try:
            self._count(client.bound.h)
        except StreamError:  # the counts of both sides differ: this stream cannot be used
            client.close()
            self._sm.id = ""
            raise
        self._client = client
        self._note_back(is_resumed=True, sent_again=self._sm.unacknowledged)
        self._write(self._sm.resend())

    def _note_back(self, *, is_resumed: bool, sent_again: int) -> None:
        last = self.breaks[-1]
        last.back_s, last.is_resumed, last.sent_again = self._now_s(), is_resumed, sent_again

    def _begin(self, client: BlockingClient) -> int:
        """Enable stream management on the new stream, and send again what the server does not say it has of an earlier
        one. Returns the number of those."""
        try:
            id = self._enable(client)
            if client.bound.h is not None:
                self._count(client.bound.h)
            left = [each for each in self._sm.take_unacknowledged() if each.stanza.kind == "message"]
            self._acknowledged_before, self._h = self.acknowledged, 0
            self._sm, self._jid = StreamManagement(id), client.jid
            first = [*(Unacknowledged(stanza, 0.0) for stanza in self.greeting), *left]
            request = self._sm.sent(first) if first else b""
            client.send(b"".join([each.stanza.raw for each in first]) + request, SEND_TIMEOUT_S)
        except BaseException:
            client.close()
            raise
        self._client = client
        return len(left)

    def _enable(self, client: BlockingClient) -> str:
        """Section 3: the SM-ID."""
        client.send(f"<enable xmlns='{SM}' resume='true'/>".encode(), SEND_TIMEOUT_S)
        while (child := client.receive(SEND_TIMEOUT_S)) is not None:
            if child.name == f"{SM} enabled":
                return child.attributes.get("id", "")
            if child.name == f"{SM} failed":
                raise StreamFailed("stream management", "refused")
            self._early.append(child)
        raise ConnectionError("the server closed the connection before the stream was managed")

    def _count(self, h: int) -> bytes:
        """The server has handled `h` stanzas on this stream; returns what to write now."""
        request = self._sm.acknowledged(h)
        self._h += (h - self._h) % sm.COUNTS
        return request
