"""All client streams of a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.protocol import Factory

from cluster.base.clock import Clock
from cluster.host.module import When
from cluster.server.c2s.client_stream import ClientStream
from cluster.server.context import ModuleContext
from cluster.server.domain import Domain
from cluster.server.sessions.binder import SessionBinder
from cluster.streams.peer_clock import PeerClock
from cluster.xmpp.element import Element
from cluster.xmpp.streams.stream_options import StreamOptions, TlsMode

REST_AFTER_S = 1.0
"""A stream that was silent for this time gives memory back, which costs some 10 µs when it is used again."""


@dataclass(frozen=True)
class C2s:
    """The part that all client streams of a server share."""

    domain: Domain
    binder: SessionBinder
    options: StreamOptions
    clock: Clock
    new_id: Callable[[], str]
    start_tls: Callable[[Any], None]
    """On the transport of a stream."""
    end_point: bytes
    """Hash of the server's certificate, for channel binding (RFC 5929 section 4.1)."""


class ClientStreams(Factory):
    """Creates a ClientStream for each connection, and can end them all."""

    noisy = False

    def __init__(self, shared: C2s) -> None:
        self.streams: dict[ClientStream, None] = {}
        self.clock = shared.clock
        self.peer_clock = PeerClock(shared.clock)
        self._shared = shared
        self._sweep: DelayedCall | None = None

    def stopFactory(self) -> None:
        """The last port is closed."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _let_rest(self) -> None:
        self._sweep = None
        for stream in self.streams:
            stream.rest_if_idle()
        if self.streams:
            self._sweep_later()

    def _sweep_later(self) -> None:
        if self._sweep is None:
            self._sweep = self._shared.clock.callLater(REST_AFTER_S, self._let_rest)

    def buildProtocol(self, addr: object) -> ClientStream:
        """Twisted: a new connection."""
        self._sweep_later()
        return ClientStream(self._shared, self.peer_clock, self.streams)

    def shut_down(self) -> None:
        """End every stream: `system-shutdown` (RFC 6120 section 4.9.3.20)."""
        for stream in [*self.streams]:
            stream.shut_down()
            stream.hang_up()  # nobody waits for the answers of the client any more


def stream_options(ctx: ModuleContext, tls: TlsMode, anonymous: bool = False) -> StreamOptions:
    """The options of client streams, from the server and its modules."""

    def offered(when: When) -> tuple[Element, ...]:
        return ctx.host.stream_features(ctx, when)

    return StreamOptions(
        ctx.domain, tls, anonymous=anonymous, strict=ctx.strict, features_before_login=offered("before login"),
        features_of_bind=ctx.host.bind_features,
        features_in_private=offered("before login in private"), features_after_login=offered("after login"),
    )  # fmt: skip
