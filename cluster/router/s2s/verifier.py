"""Asks authoritative servers about dialback keys (XEP-0220 section 2.1.2), within bounds."""

from __future__ import annotations

from collections import Counter

from twisted.internet.defer import Deferred

from cluster.router.s2s.outgoing import VerifyingConnection
from cluster.router.s2s.ports import S2sPorts
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.streams.servers.dialback import Verification
from cluster.xmpp.streams.servers.stream import ServerOptions

MAX_AT_ONCE = 256
"""Keys that are being verified: whoever connects can make us connect to others."""
MAX_OF_DOMAIN = 16
"""Of these, for one sender domain."""


class Verifier:
    """Opens a connection of its own for each key: an answer counts only there."""

    def __init__(self, options: ServerOptions, ports: S2sPorts) -> None:
        self._options = options
        self._ports = ports
        self._asking: Counter[str] = Counter()

    def verify(self, verification: Verification) -> Deferred[bool | StanzaError]:
        """What the authoritative server says, or why it cannot be asked; it does not fail."""
        return Deferred.fromCoroutine(self._verify(verification))

    async def _verify(self, verification: Verification) -> bool | StanzaError:
        domain = verification.pair.from_
        if self._asking.total() >= MAX_AT_ONCE or self._asking[domain] >= MAX_OF_DOMAIN:
            return StanzaError(Condition.RESOURCE_CONSTRAINT, "too many keys are being verified")
        self._asking[domain] += 1
        try:
            return await self._ask(verification)
        finally:
            self._asking[domain] -= 1
            if not self._asking[domain]:
                del self._asking[domain]

    async def _ask(self, verification: Verification) -> bool | StanzaError:
        domain = verification.pair.from_
        try:
            addresses = await self._ports.names(domain)
        except Exception as error:  # any: whoever waits for the answer gets one
            return StanzaError(Condition.REMOTE_SERVER_TIMEOUT, f"{domain}: {error}")
        if not addresses:
            return StanzaError(Condition.REMOTE_SERVER_NOT_FOUND, f"there is no address of {domain}")
        reason = ""
        for address in addresses:
            connection = VerifyingConnection(verification, self._options, self._ports)
            try:
                await self._ports.dial(address, connection)
            except Exception as error:  # any: the next address may do
                reason = f"{address.host}:{address.port}: {error}"
                continue
            return await connection.outcome
        return StanzaError(Condition.REMOTE_SERVER_TIMEOUT, f"{domain} cannot be reached: {reason}")
