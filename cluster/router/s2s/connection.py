"""A connection between two servers, whichever of them opened it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from cluster.router.s2s.ports import NEGOTIATION_S
from cluster.streams.connection import Flow, StreamConnection
from cluster.streams.peer_tls import peer_certificate
from cluster.xmpp.streams.events import Closed

MAX_AT_ONCE = 1_024
"""Stanzas of a whole domain; one read of a socket brings no more."""
MAX_UNSETTLED = 64
"""Batches of a peer's stanzas that may be on their way to safety before we stop reading from it."""


@implementer(IHandshakeListener)
class ServerConnection(StreamConnection):
    """One end of a stream between servers."""

    first_timeout_s = NEGOTIATION_S
    max_at_once = MAX_AT_ONCE
    max_unsettled = MAX_UNSETTLED

    @property
    def _outbox(self) -> Flow | None:
        return None

    def start_tls(self, side: Any) -> None:
        """What was written goes out in clear, all else under TLS."""
        self._write_output()
        self.transport.startTLS(side)

    def handshakeCompleted(self) -> None:
        """TLS is up."""
        self._stream.tls_started(peer_certificate(self.transport.getHandle()))
        self._drain()

    def _write_output(self) -> None:
        if data := self._stream.data_to_send():
            self.transport.write(data)

    def _on_closed(self, closed: Closed) -> None:
        self._over(closed.reason or "the stream was closed")
        self._await_end()

    @abstractmethod
    def _over(self, reason: str) -> None:
        """The stream is over, for this reason; told once or more often."""
