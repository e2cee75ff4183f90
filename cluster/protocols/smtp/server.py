"""Listens for SMTP."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from cluster.base.clock import Clock
from cluster.base.rate import RateLimit
from cluster.protocols.smtp.receiver import Receiver
from cluster.protocols.smtp.reception import SmtpSession

MAX_RECEIVING_BYTES = 64 << 20
"""Of all incoming mails at a time; beyond it their hosts are asked to try later."""


class SmtpServer(ServerFactory):
    """Accepts connections of hosts that send mail."""

    noisy = False

    def __init__(self, clock: Clock, receiver: Receiver, max_per_s: float, max_connections: int = 100) -> None:
        """`max_per_s`: mails from one address."""
        self.clock = clock
        self.receiver = receiver
        self._max_per_s = max_per_s
        self.rate = RateLimit(max_per_s, clock.seconds)
        self.sessions: set[SmtpSession] = set()
        self.receiving_bytes = 0
        """Of the incomplete mails."""
        self._max_connections = max_connections

    @property
    def is_full(self) -> bool:
        """Whether further connections are refused."""
        return len(self.sessions) > self._max_connections

    def has_room(self, size_bytes: int) -> bool:
        """Whether this number of bytes of a mail may be kept."""
        return self.receiving_bytes + size_bytes < MAX_RECEIVING_BYTES

    def buildProtocol(self, addr: IAddress | None) -> SmtpSession:
        return SmtpSession(self)

    def limit(self, max_per_s: float) -> None:
        """Limit the mails per second from one address; 0: the limit of the configuration."""
        self.rate = RateLimit(max_per_s or self._max_per_s, self.clock.seconds)

    def close(self) -> None:
        """End all connections."""
        for session in [*self.sessions]:
            session.shut_down()
