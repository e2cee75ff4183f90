"""Both sides of a client whose stream ends at one node of a domain, and whose session is at another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cluster.base.settled import Settled
from cluster.server.nodes.frames import Bound, Counted, End, Flow, Left, Said, SaidNonza, Write
from cluster.server.sessions.port import Seat, Way
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.events import Nonza
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import SM
from cluster.xmpp.sm import StreamManagement
from cluster.xmpp.stanza import Stanza

Send = Callable[[Any], Settled]


class RemoteSeat:
    """A `Seat`, at the node where the stream ends."""

    def __init__(self, bound: Bound, node: str, send: Send, way: Way) -> None:
        """`send` tells `node`, which has the session."""
        self.node = node
        self.jid = Jid.parse(bound.jid)
        self.management: StreamManagement | None = None
        if bound.sm_id:
            self.management = StreamManagement(bound.sm_id, handled=bound.handled)
        self._stream = bound.stream
        self._send = send
        self._way = way
        self._is_managed = bool(bound.sm_id)
        self._is_over = False

    def said(self, stanza: Stanza) -> Settled:
        """See `Seat`."""
        return self._send(Said(self._stream, stanza, self._is_managed))

    def counted(self) -> None:
        """See `Seat`."""
        self._send(Counted(self._stream))

    def nonza(self, nonza: Nonza) -> None:
        """See `Seat`."""
        self._is_managed = self._is_managed or nonza.name == f"{SM} enable"
        self._send(SaidNonza(self._stream, nonza))

    def go_on(self) -> None:
        """The other node does when it has said that the session is resumed."""

    def wrote(self, size_bytes: int) -> None:
        """What the stream itself says is little once it is bound."""

    def pause(self) -> None:
        """See `Seat`."""
        self._send(Flow(self._stream, False))

    def resume(self) -> None:
        """See `Seat`."""
        self._send(Flow(self._stream, True))

    def lost(self) -> None:
        """See `Seat`."""
        self._leave(lost=True)

    def closed(self) -> None:
        """See `Seat`."""
        self._leave(lost=False)

    def stopped(self) -> None:
        """See `Seat`: the node that has the session does not stop."""
        self._leave(lost=True)

    def _leave(self, *, lost: bool) -> None:
        if not self._is_over:
            self._is_over = True
            self._send(Left(self._stream, lost))

    def write(self, data: bytes) -> None:
        """What the session has for the client."""
        self._way.write(data)

    def end(self, error: StreamError) -> None:
        """The session is over, or nobody knows of it."""
        self._is_over = True
        self._way.end(error)


class RelayedStream:
    """The stream of such a client, at the node that has the session."""

    def __init__(self, id: str, node: str, send: Send) -> None:
        """`send` tells `node`, where the stream ends."""
        self.node = node
        self.way = Way(self._write, self._end, self._leave)
        self._id = id
        self._send = send
        self._seat: Seat | None = None

    def sit(self, seat: Seat) -> None:
        """It has its session: tell the client, and what it missed."""
        self._seat = seat
        sm = seat.management
        self._send(Bound(self._id, str(seat.jid), sm.id if sm else "", sm.told if sm else 0))
        if sm is not None:
            seat.go_on()

    def take(self, frame: Said | SaidNonza | Counted | Flow) -> Settled:
        """What the client sent."""
        seat = self._seat
        if seat is None:
            return None
        if isinstance(frame, Said):
            return seat.said(frame.stanza)
        if isinstance(frame, Flow):
            seat.resume() if frame.writable else seat.pause()
            return None
        if isinstance(frame, Counted):
            seat.counted()
            return None
        try:
            seat.nonza(frame.nonza)
        except StreamError as error:
            self._end(error)
        return None

    def left(self, *, lost: bool) -> None:
        """The stream is over."""
        seat, self._seat = self._seat, None
        if seat is not None:
            seat.lost() if lost else seat.closed()

    def stop(self) -> None:
        """The node that has the session stops."""
        seat, self._seat = self._seat, None
        if seat is not None:
            seat.stopped()
        self._send(End(self._id, StreamCondition.SYSTEM_SHUTDOWN, ""))

    def _write(self, data: bytes) -> None:
        self._send(Write(self._id, data))

    def _end(self, error: StreamError) -> None:
        self._send(End(self._id, error.condition, error.text))
        self.left(lost=False)

    def _leave(self) -> None:
        """The session goes on with another stream."""
        if self._seat is not None:
            self._seat = None
            self._send(End(self._id, StreamCondition.CONFLICT, "the session was resumed on another stream"))
