"""Opens a stream to another domain: its addresses are tried one after the other (RFC 6120 section 3.2, XEP-0368)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.router.s2s.ports import Address, S2sPorts
from cluster.xmpp.errors import StanzaError

MAX_ADDRESSES = 16
"""Addresses of one domain that are tried; a name server may tell thousands."""
TRY_S = 60.0
"""No further address is tried after so many seconds; a single one takes CONNECT_S and NEGOTIATION_S at most."""
MAX_REASON = 1_024
"""Characters of the reasons of all addresses together, which each sender is told."""

T = TypeVar("T")
_log = Logger()


class NoStream(Exception):
    """No address gave a stream."""

    def __init__(self, reason: str, failure: StanzaError | None = None) -> None:
        """`failure`: the error for senders if further attempts would fail, too."""
        super().__init__(reason)
        self.failure = failure


class Attempt(Protocol[T]):
    """A Twisted protocol that negotiates a stream over one connection."""

    @property
    def ready(self) -> Deferred[T]:
        """Fires when the negotiation has succeeded; fails with NoStream when it has failed."""


async def connect(ports: S2sPorts, domain: str, new: Callable[[Address], Attempt[T]]) -> T | None:
    """The result of the first attempt that succeeds; None if the domain has no address.

    Raises NoStream if none succeeds, and what `ports.names` raises. `new` makes the attempt at an address.
    """
    begin_s = ports.clock.seconds()
    known = await ports.names(domain)
    addresses = [each for each in known if ports.tls is not None or not each.direct_tls][:MAX_ADDRESSES]
    failed: list[NoStream] = []
    for address in addresses:
        if failed and ports.clock.seconds() - begin_s >= TRY_S:
            break
        try:
            return await _try(ports, address, new(address))
        except NoStream as error:
            failed.append(error)
            _log.info("{domain} at {error}", domain=domain, error=error)
    if not failed:
        return None
    is_final = all(each.failure for each in failed)
    raise NoStream("; ".join(map(str, failed))[:MAX_REASON], failed[-1].failure if is_final else None)


async def _try(ports: S2sPorts, address: Address, attempt: Attempt[T]) -> T:
    at = f"{address.host}:{address.port}" + (" (direct TLS)" if address.direct_tls else "")
    try:
        await ports.dial(address, attempt)
        return await attempt.ready
    except NoStream as error:
        raise NoStream(f"{at}: {error}", error.failure) from None
    except Exception as error:  # any: the next address may do
        raise NoStream(f"{at}: {error}") from None
