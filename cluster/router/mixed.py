"""One router made of two: some domains are reached one way, all others another way."""

from __future__ import annotations

from collections.abc import Collection

from cluster.router.port import Bounce, Deliver, Link, Router


class MixedRouter:
    """A `Router` that asks the name of the domain; what comes in comes by both ways."""

    def __init__(self, usual: Router, other: Router, domains: Collection[str]) -> None:
        """`domains`: those that `other` carries to, without their components."""
        self._usual = usual
        self._other = other
        self._domains = frozenset(domains)

    def link(self, to_domain: str) -> Link:
        """The link to this domain, by its way."""
        return (self._other if to_domain in self._domains else self._usual).link(to_domain)

    async def start(self, deliver: Deliver, bounce: Bounce) -> None:
        """Begin to carry, first what was not acknowledged before a crash."""
        await self._usual.start(deliver, bounce)
        await self._other.start(deliver, bounce)

    async def stop(self) -> None:
        """Stop reading, and write what is still queued."""
        await self._other.stop()
        await self._usual.stop()
