"""What a node does for the other nodes of its domain: it accepts their stanzas, streams and accounts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.settled import Settled
from cluster.base.storage import is_away
from cluster.membership.port import Nodes
from cluster.server.domain import Domain
from cluster.server.nodes.frames import (
    Deliver,
    EndStream,
    FlowControl,
    Frame,
    NonzaReceived,
    OfClient,
    OpenSession,
    Remove,
    SessionOpened,
    SessionRefused,
    StanzaCounted,
    StanzaReceived,
    StreamDetached,
    WriteBytes,
)
from cluster.server.nodes.remote_session import RemoteStream
from cluster.server.nodes.remote_sessions import RemoteSessions
from cluster.server.services.placed import PlacedService
from cluster.server.sessions.binder import SessionBinder
from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition, StreamError


class NodeBroker:
    """The `Server` of membership/port.py: serves the clients of other nodes, and takes over the work of nodes that are
    gone."""

    _log = Logger()

    def __init__(
        self,
        nodes: Nodes,
        domain: Domain,
        services: Iterable[PlacedService],
        binder: SessionBinder,
        remote: RemoteSessions,
        fenced: Callable[[], None],
    ) -> None:
        """`services`: those of the domain, wherever they are. `fenced` ends this process at once."""
        self.fenced = fenced
        self._services = {each.owned: each for each in services}
        self._nodes = nodes
        self._domain = domain
        self._binder = binder
        self._remote = remote
        self._relayed: dict[str, RemoteStream] = {}

    def _tell(self, node: str, frame: Frame) -> Settled:
        if isinstance(frame, EndStream):
            self._relayed.pop(frame.stream, None)
        return self._nodes.send(node, frame)

    # --- frames of other nodes

    def take(self, node: str, frame: Any, place: str) -> Settled:
        """Do what a frame of another node says: route a stanza, admit a client, or act for one stream."""
        match frame:
            case Deliver():
                return self._domain.routing.from_node(node, frame, place)
            case Remove():
                return Deferred.fromCoroutine(self._domain.remove_account(frame.localpart))
            case OpenSession():  # without waiting for the answer, which may depend on later frames
                Deferred.fromCoroutine(self._admit(node, frame)).addErrback(self._on_failure, node, frame)
            case StanzaReceived() | NonzaReceived() | StanzaCounted() | FlowControl() | StreamDetached():
                return self._take_of_client(node, frame)
            case SessionOpened() | SessionRefused() | WriteBytes() | EndStream():
                self._remote.take(node, frame)
        return None

    def _take_of_client(self, node: str, frame: OfClient | StreamDetached) -> Settled:
        stream = self._relayed.get(frame.stream)
        if isinstance(frame, StreamDetached):
            if stream is not None:
                del self._relayed[frame.stream]
                stream.left(lost=frame.lost)
        elif stream is not None:
            return stream.take(frame)
        elif isinstance(frame, StanzaReceived) and not frame.managed:
            return self._domain.routing.route(frame.stanza)  # of an ended session; nobody would send it again
        return None

    async def _admit(self, node: str, wish: OpenSession) -> None:
        """Bind or resume a session for a client at that node, whose account is here."""
        stream = RemoteStream(wish.stream, node, partial(self._tell, node))
        if not wish.previd:
            session = await self._binder.bind(wish.localpart, wish.wish, stream.handle, temporary=False)
            if isinstance(session, StanzaError):
                self._nodes.send(node, SessionRefused(wish.stream, session.condition, session.text))
                return
        else:
            try:
                resumed = await self._binder.resume(wish.localpart, wish.previd, wish.h, stream.handle)
            except StreamError as error:
                detail = b"" if error.detail is None else xml.serialize(error.detail)
                self._nodes.send(
                    node, SessionRefused(wish.stream, error.condition, error.text, ends=True, detail=detail)
                )
                return
            if resumed is None or isinstance(resumed, int):
                self._nodes.send(node, SessionRefused(wish.stream, handled=resumed))
                return
            session = resumed
        self._relayed[wish.stream] = stream
        stream.open(session, is_resumed=bool(wish.previd))

    def _on_failure(self, failure: Failure, node: str, wish: OpenSession) -> None:
        self._log.failure("Admitting a client of {node}", failure, node=node)
        condition = StreamCondition if wish.previd else Condition
        self._nodes.send(node, SessionRefused(wish.stream, condition.INTERNAL_SERVER_ERROR, ends=bool(wish.previd)))

    def refuse(self, frame: Any, error: StanzaError) -> None:
        """Return its stanza to the sender, fail the request of a stream here, end the stream that ends there."""
        match frame:
            case Deliver():
                self._domain.routing.bounce(frame.stanza, error)
            case OpenSession() | StanzaReceived() | NonzaReceived() | StanzaCounted() | FlowControl():
                self._remote.refuse(frame, error)
            case WriteBytes() | SessionOpened() if frame.stream in self._relayed:
                self._relayed.pop(frame.stream).left(lost=True)

    def gone(self, node: str) -> None:
        """Streams with an end at that node are lost."""
        for id, relayed in [*self._relayed.items()]:
            if relayed.node == node:
                del self._relayed[id]
                relayed.left(lost=True)
        self._remote.gone(node)
        for service in self._services.values():
            service.gone(node)

    def shut_down(self) -> None:
        """This node stops: end the streams that its sessions have at other nodes."""
        for relayed in [*self._relayed.values()]:
            relayed.stop()

    async def restore(self, localpart: str) -> None:
        """Load the sessions that the other node kept for the account, so that stanzas can be added to them; or what is
        stored of a service."""
        service = self._services.get(localpart)
        await self._try(self._domain.restore(localpart) if service is None else service.restore(), localpart)

    async def adopt(self, localpart: str) -> None:
        """Serve the account or service like any other: all that the node left for it has been read."""
        service = self._services.get(localpart)
        await self._try(self._domain.adopt(localpart) if service is None else service.adopt(), localpart)

    async def _try(self, taking_over: Coroutine[Deferred[Any], Any, None], localpart: str) -> None:
        """Log a failure, so that this account and those after it stay reachable."""
        try:
            await taking_over
        except Exception as error:
            if is_away(error):
                raise
            self._log.failure("Taking over {account}", account=localpart)
