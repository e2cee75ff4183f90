"""Redis is there, and refuses what would be written, for now."""

from __future__ import annotations

from hiredis import ReplyError

from cluster.base.storage import StorageRefused

_REFUSALS = ("OOM ", "MISCONF ", "NOREPLICAS ")
"""Beginnings of its errors: its memory or its disk is full, or it has fewer replicas than it should."""


class RedisRefused(ReplyError, StorageRefused):
    """An error reply that says so."""


def error_reply(text: str) -> ReplyError:
    """What an error reply fails with."""
    return (RedisRefused if text.startswith(_REFUSALS) else ReplyError)(text)
