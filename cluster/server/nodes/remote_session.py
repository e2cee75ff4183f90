"""Both sides of a client whose stream is at one node of a domain and whose session is at another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cluster.base.settled import Settled
from cluster.server.nodes.frames import (
    EndStream,
    FlowControl,
    NonzaReceived,
    OfClient,
    SessionOpened,
    StanzaCounted,
    StanzaReceived,
    StreamDetached,
    WriteBytes,
)
from cluster.server.sessions.port import SessionPort, StreamHandle
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import SM
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Nonza
from cluster.xmpp.streams.sm import StreamManagement

Send = Callable[[Any], Settled]


class RemoteSession:
    """A `SessionPort`, at the node of the stream."""

    def __init__(self, bound: SessionOpened, node: str, send: Send, handle: StreamHandle) -> None:
        """`send` tells `node`, which has the session."""
        self.node = node
        self.jid = Jid.parse(bound.jid)
        self.management: StreamManagement | None = None
        if bound.managed:
            self.management = StreamManagement(bound.sm_id, handled=bound.handled)
        self.answer = bound.answer
        self._stream = bound.stream
        self._send = send
        self._handle = handle
        self._is_managed = bound.managed
        self._is_over = False

    def on_stanza(self, stanza: Stanza) -> Settled:
        """Settled when a crash of this process can no longer lose it; the other node does the rest."""
        return self._send(StanzaReceived(self._stream, stanza, self._is_managed))

    def on_answered_stanza(self) -> None:
        """The other node counts it."""
        self._send(StanzaCounted(self._stream))

    def nonza(self, nonza: Nonza) -> None:
        """The other node answers it; from `<enable/>` on, the client keeps what is not acknowledged."""
        self._is_managed = self._is_managed or nonza.name == f"{SM} enable"
        self._send(NonzaReceived(self._stream, nonza))

    def on_resumed(self) -> None:
        """Nothing to do: the other node has sent what the client missed."""

    def on_told(self) -> None:
        """Nothing to do: what the other node has sent since comes after this."""

    def on_bytes_written(self, size_bytes: int) -> None:
        """Not reported to the other node: once it is bound, the stream itself writes little."""

    def pause(self) -> None:
        """The other node keeps what it has for the client."""
        self._send(FlowControl(self._stream, False))

    def resume(self) -> None:
        """The other node writes again."""
        self._send(FlowControl(self._stream, True))

    def on_connection_lost(self) -> None:
        """The other node keeps the session for its client, if it can be resumed."""
        self._leave(lost=True)

    def on_stream_closed(self) -> None:
        """The other node ends the session."""
        self._leave(lost=False)

    def on_shutdown(self) -> None:
        """As a connection that is lost: the node that has the session does not stop."""
        self._leave(lost=True)

    def _leave(self, *, lost: bool) -> None:
        if not self._is_over:
            self._is_over = True
            self._send(StreamDetached(self._stream, lost))

    def write(self, data: bytes) -> None:
        """Bytes of the session for the client."""
        self._handle.write(data)

    def end(self, error: StreamError) -> None:
        """The session has ended, or is unknown."""
        self._is_over = True
        self._handle.end(error)


class RemoteStream:
    """The stream of such a client, at the node of the session."""

    def __init__(self, id: str, node: str, send: Send) -> None:
        """`send` tells `node`, which has the stream."""
        self.node = node
        self.handle = StreamHandle(self._write, self._end, self._leave)
        self._id = id
        self._send = send
        self._session: SessionPort | None = None

    def open(self, session: SessionPort, *, is_resumed: bool) -> None:
        """The stream has its session: tell the client, and send what it missed."""
        self._session = session
        sm = session.management
        id, told = (sm.id, sm.told) if sm is not None else ("", 0)
        self._send(SessionOpened(self._id, str(session.jid), id, told, sm is not None, session.answer))
        session.on_resumed() if is_resumed else session.on_told()

    def take(self, frame: OfClient) -> Settled:
        """Handle a frame of the client."""
        session = self._session
        if session is None:
            return None
        if isinstance(frame, StanzaReceived):
            return session.on_stanza(frame.stanza)
        if isinstance(frame, FlowControl):
            session.resume() if frame.writable else session.pause()
            return None
        if isinstance(frame, StanzaCounted):
            session.on_answered_stanza()
            return None
        try:
            session.nonza(frame.nonza)
        except StreamError as error:
            self._end(error)
        return None

    def left(self, *, lost: bool) -> None:
        """The stream has ended."""
        session, self._session = self._session, None
        if session is not None:
            session.on_connection_lost() if lost else session.on_stream_closed()

    def stop(self) -> None:
        """This node stops."""
        session, self._session = self._session, None
        if session is not None:
            session.on_shutdown()
        self._send(EndStream(self._id, StreamCondition.SYSTEM_SHUTDOWN, ""))

    def _write(self, data: bytes) -> None:
        self._send(WriteBytes(self._id, data))

    def _end(self, error: StreamError) -> None:
        self._send(EndStream(self._id, error.condition, error.text))
        self.left(lost=False)

    def _leave(self) -> None:
        """The session continues with another stream."""
        if self._session is not None:
            self._session = None
            self._send(EndStream(self._id, StreamCondition.CONFLICT, "the session was resumed on another stream"))
