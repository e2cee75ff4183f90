"""What a command asks of a server, and what it is answered: JSON in a Redis list."""

from __future__ import annotations

from typing import Any

import msgspec

REPLY_LIFETIME_S = 60
"""A reply that nobody fetched (the command was ended) goes away by itself."""


class Request(msgspec.Struct, frozen=True):
    """One request."""

    id: str
    verb: str
    """Such as `user_add`: a method of `cluster.server.administration.Administration`."""
    args: dict[str, Any] = {}


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """Its answer: what the verb returns, or why it could not be done."""

    ok: Any = None
    error: str = ""
