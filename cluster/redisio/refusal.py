"""Errors of a Redis that refuses writes for now."""

from __future__ import annotations

from hiredis import ReplyError

from cluster.base.storage import StorageRefused

_REFUSALS = ("OOM ", "MISCONF ", "NOREPLICAS ")
"""Beginnings of such errors: its memory or its disk is full, or it has fewer replicas than it should."""


class RedisRefused(ReplyError, StorageRefused):
    """An error reply of this kind."""


def error_reply(text: str) -> ReplyError:
    """The exception for an error reply."""
    return (RedisRefused if text.startswith(_REFUSALS) else ReplyError)(text)
