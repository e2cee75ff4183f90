"""The limits of what is stored for one account."""

from __future__ import annotations

import msgspec


class Limit(msgspec.Struct, frozen=True):
    """A count, and bytes together, as they are stored: a little more than their XML."""

    count: int
    size_bytes: int


class Limits(msgspec.Struct, frozen=True):
    """The limits for every account of a domain."""

    offline: Limit = Limit(1_000, 16 << 20)
    """Messages that wait for it (XEP-0160)."""
    offline_total_bytes: int = 1 << 30
    """Of waiting messages of all accounts together."""
    roster: Limit = Limit(5_000, 1 << 20)
    """Contacts, as its clients see them (RFC 6121 section 2)."""
    archive: Limit = Limit(10_000, 64 << 20)
    """Messages of its archive (XEP-0313); beyond it, the oldest are forgotten."""
    private: Limit = Limit(100, 1 << 20)
    """Elements of private XML (XEP-0049), together with its vCard and its lists."""
    pubsub: Limit = Limit(500, 16 << 20)
    """Nodes of its own (XEP-0163), with the bytes of their items."""


DEFAULTS = Limits()
"""The limits if the topology gives none."""
