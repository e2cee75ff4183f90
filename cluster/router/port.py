"""The port between domains: what the servers need of a router, whatever carries the stanzas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from cluster.base.reasons import Reason
from cluster.base.settled import Settled
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.stanza import Stanza

QUEUE = "router"
"""The node of hops in the queue between two domains."""
STANZA_BYTES = 500
"""About the size of a stanza in memory besides its bytes."""

Unsettled = tuple[Deferred[Any], Stanza]
"""A stanza, and when it has settled. Stanzas may share the Deferred."""

Bounce = Callable[[Stanza, StanzaError], Settled]
"""Accepts a stanza that cannot be carried, to be answered with the error; it has settled when the answer is safe."""


def no_link(from_: str, to: str) -> str:
    """Why no link leads from one domain to another."""
    return f"no link leads from {from_} to {to}"


class HopRecorder(Protocol):
    """Records what the router did with followed stanzas: those with a trace id."""

    def sample(self, stanza: Stanza) -> str:
        """The trace id for a stanza that enters the lab here; empty: it is not followed."""

    def record(
        self, event: str, stanza: Stanza, detail: str = "", node: str = "", reason: Reason | None = None
    ) -> None:
        """`event`: enqueued, dequeued, dropped or lost; `node` is `router` for events in the queue."""

    def followed(self, stanza: Stanza) -> Stanza:
        """The stanza with a trace id: to record an event that must not be missed."""


class Link(Protocol):
    """One direction between two domains, on the sender's side. Order is kept; a sent stanza is never forgotten."""

    def send(self, item: Stanza | Copies) -> Settled:
        """Carry a stanza, or one for many. It has settled when a crash of this process can no longer lose it, or it was
        bounced."""


class Receiver(Protocol):
    """The domain at the end of its links: it accepts what came, and what cannot be carried."""

    def from_link(self, stanza: Stanza, place: str) -> Settled:
        """Accept a stanza that came over a link; its entry is acknowledged when all of its stanzas have settled.

        `place`: that of the stanza in all links, the same each time that it is read. Stanzas that came as one, for many
        receivers, share it."""

    def copies_from_link(self, copies: Copies, place: str) -> Iterable[Unsettled]:
        """Accept one for many; those that have not settled are returned."""

    def bounce(self, stanza: Stanza, error: StanzaError) -> Settled:
        """Answer a stanza that cannot be carried with the error; it has settled when the answer is safe."""


class Router(Protocol):
    """All links of one domain: one out to each domain that it writes to, and those of all others into it."""

    def link(self, to_domain: str) -> Link:
        """The link to this domain, for now: ask for it each time.

        A stanza for a domain that nobody serves, or to which no link leads, is bounced with remote-server-not-found,
        and its link is forgotten.
        """

    async def start(self, receiver: Receiver) -> None:
        """Start to carry, first the entries that were not acknowledged before a crash."""

    async def stop(self) -> None:
        """Stop reading, and write what is still queued."""
