"""One router made of two: one carries to some domains, the other to all others."""

from __future__ import annotations

from collections.abc import Container

from cluster.router.port import Link, Receiver, Router


class MixedRouter:
    """A `Router` that chooses by the domain; both of its routers deliver what comes in."""

    def __init__(self, usual: Router, other: Router, domains: Container[str]) -> None:
        """`domains`: the servers' domains that `other` carries to."""
        self._usual = usual
        self._other = other
        self._domains = domains

    def link(self, to_domain: str) -> Link:
        """The link of the router that carries to this domain."""
        return (self._other if to_domain in self._domains else self._usual).link(to_domain)

    async def start(self, receiver: Receiver) -> None:
        """Start to carry, first what was not acknowledged before a crash."""
        await self._usual.start(receiver)
        await self._other.start(receiver)

    async def stop(self) -> None:
        """Stop reading, and write what is still queued."""
        await self._other.stop()
        await self._usual.stop()
