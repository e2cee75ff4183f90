"""How much of each kind of thing is kept for one account."""

from __future__ import annotations

import msgspec


class Limit(msgspec.Struct, frozen=True):
    """So many, and of so many bytes together, as they are stored: a little more than their XML."""

    count: int
    size_bytes: int


class Limits(msgspec.Struct, frozen=True):
    """What holds for every account of a domain."""

    offline: Limit = Limit(1_000, 16 << 20)
    """Messages that wait for it (XEP-0160)."""


DEFAULTS = Limits()
"""What holds where the topology says nothing."""
