"""The sessions at other nodes of the domain whose streams are at this node."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred

from cluster.base.settled import Settled
from cluster.membership.port import Nodes
from cluster.server.nodes.frames import (
    EndStream,
    Frame,
    OfClient,
    OpenSession,
    SessionOpened,
    SessionRefused,
    StreamDetached,
    WriteBytes,
)
from cluster.server.nodes.remote_session import RemoteSession
from cluster.server.sessions.port import SessionPort, StreamHandle
from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError
from cluster.xmpp.streams.events import InlineBind

_GONE = StreamError(StreamCondition.SYSTEM_SHUTDOWN, "the node that had your session is gone; connect again")


class NodeGone(Exception):
    """The node that was asked is gone, and may or may not have acted."""


class RemoteSessions:
    """Asks other nodes for sessions, and passes their bytes on to the streams of this node."""

    def __init__(self, nodes: Nodes, new_id: Callable[[], str]) -> None:
        self._nodes = nodes
        self._new_id = new_id
        self._waiting: dict[str, tuple[str, Deferred[tuple[str, SessionOpened | SessionRefused]]]] = {}
        self._sessions: dict[str, RemoteSession] = {}

    async def bind(
        self, node: str, localpart: str, wish: str | InlineBind | None, handle: StreamHandle
    ) -> SessionPort | StanzaError:
        """A session at that node. Raises NodeGone."""
        answer = await self._open(node, OpenSession(self._new_id(), localpart, wish), handle)
        if isinstance(answer, SessionRefused):
            return StanzaError(Condition(answer.condition), answer.text)
        return answer

    async def resume(
        self, node: str, localpart: str, previd: str, h: int, handle: StreamHandle
    ) -> SessionPort | int | None:
        """The session of that id at that node; for an ended one, what `SessionBinder.resume` returns.

        Raises StreamError, NodeGone.
        """
        answer = await self._open(node, OpenSession(self._new_id(), localpart, None, previd, h), handle)
        if not isinstance(answer, SessionRefused):
            return answer
        if answer.ends:
            detail = xml.parse(answer.detail) if answer.detail else None
            raise StreamError(StreamCondition(answer.condition), answer.text, detail)
        return answer.handled

    async def _open(self, node: str, wish: OpenSession, handle: StreamHandle) -> RemoteSession | SessionRefused:
        answered: Deferred[tuple[str, SessionOpened | SessionRefused]] = Deferred()
        self._waiting[wish.stream] = node, answered
        self._nodes.send(node, wish)
        node, answer = await answered  # this node may be the heir of the other one
        if isinstance(answer, SessionRefused):
            return answer
        session = RemoteSession(answer, node, partial(self._tell, node), handle)
        self._sessions[wish.stream] = session
        return session

    def _tell(self, node: str, frame: Frame) -> Settled:
        if isinstance(frame, StreamDetached):
            self._sessions.pop(frame.stream, None)
        return self._nodes.send(node, frame)

    def take(self, node: str, frame: SessionOpened | SessionRefused | WriteBytes | EndStream) -> None:
        """Handle a frame of another node for a stream of this node."""
        match frame:
            case SessionOpened() | SessionRefused():
                self._answered(node, frame)
            case WriteBytes() if frame.stream in self._sessions:
                self._sessions[frame.stream].write(frame.data)
            case EndStream() if frame.stream in self._sessions:
                error = StreamError(StreamCondition(frame.condition), frame.text)
                self._sessions.pop(frame.stream).end(error)

    def _answered(self, node: str, answer: SessionOpened | SessionRefused) -> None:
        _, answered = self._waiting.pop(answer.stream, ("", None))
        if answered is not None:
            answered.callback((node, answer))
        elif isinstance(answer, SessionOpened):
            self._nodes.send(node, StreamDetached(answer.stream, lost=True))

    def refuse(self, frame: OpenSession | OfClient, error: StanzaError) -> None:
        """A frame of a stream of this node cannot be sent."""
        if isinstance(frame, OpenSession):
            self._answered("", SessionRefused(frame.stream, error.condition, error.text))
        elif frame.stream in self._sessions:
            self._sessions.pop(frame.stream).end(StreamError(StreamCondition.RESOURCE_CONSTRAINT, error.text))

    def gone(self, node: str) -> None:
        """That node is gone, and with it the sessions that streams of this node had there."""
        for id, session in [*self._sessions.items()]:
            if session.node == node:
                del self._sessions[id]
                session.end(_GONE)
        for id, (asked, _) in [*self._waiting.items()]:
            if asked == node:
                self._waiting.pop(id)[1].errback(NodeGone())
