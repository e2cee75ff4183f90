"""The host that accepts all outgoing mail, and how to connect to it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory

from cluster.base.clock import Clock
from cluster.protocols.smtp.sender import SmtpSender, Work
from cluster.protocols.smtp.settings import RelaySettings


class Relay:
    """Opens connections to one host."""

    def __init__(self, clock: Clock, endpoint: Any, settings: RelaySettings, identity: str, tls: Any = None) -> None:
        """`endpoint` is an IStreamClientEndpoint; `identity`: the domain in our greeting.

        `tls`: the result of `optionsForClientTLS(settings.host, …)`.
        """
        if settings.starttls and tls is None:
            raise ValueError(f"STARTTLS with {settings.host} needs to know whom to trust")
        self.settings = settings
        self._clock = clock
        self._endpoint = endpoint
        self._identity = identity
        self._tls = tls

    def connect(self, work: Work) -> Deferred[Any]:
        """Open a connection; the Deferred fails if there is none."""
        factory: Any = Factory.forProtocol(
            lambda: SmtpSender(self._clock, self.settings, self._identity, self._tls, work)
        )
        factory.noisy = False
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting
