"""Verifies dialback keys with their authoritative servers (XEP-0220 section 2.1.2), a bounded number at once."""

from __future__ import annotations

from collections import Counter

from twisted.internet.defer import Deferred

from cluster.router.s2s.connecting import NoStream, connect
from cluster.router.s2s.outgoing import VerifyingConnection
from cluster.router.s2s.ports import Address, S2sPorts
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.streams.servers.dialback import Verification
from cluster.xmpp.streams.servers.stream import ServerOptions

MAX_AT_ONCE = 256
"""Keys that are being verified: any peer can make this server connect to others."""
MAX_OF_DOMAIN = 16
"""Keys of one sender domain that are being verified."""


class Verifier:
    """Opens a connection for each key; an answer is valid only on the connection where it was asked for."""

    def __init__(self, options: ServerOptions, ports: S2sPorts) -> None:
        self._options = options
        self._ports = ports
        self._asking: Counter[str] = Counter()

    def verify(self, verification: Verification) -> Deferred[bool | StanzaError]:
        """The answer of the authoritative server, or the error why there is none; never fails."""
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

        def at(address: Address) -> VerifyingConnection:
            return VerifyingConnection(verification, self._options, self._ports, address.direct_tls)

        try:
            outcome = await connect(self._ports, domain, at)
        except NoStream as error:
            condition = error.failure.condition if error.failure else Condition.REMOTE_SERVER_TIMEOUT
            return StanzaError(condition, f"{domain}: {error}")
        except Exception as error:  # any: the peer that waits for the answer gets one
            return StanzaError(Condition.REMOTE_SERVER_TIMEOUT, f"{domain} cannot be reached: {error}")
        if outcome is None:
            return StanzaError(Condition.REMOTE_SERVER_NOT_FOUND, f"there is no address of {domain}")
        return outcome
