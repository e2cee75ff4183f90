"""A command to Redis: that it is sent, and its reply."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred


class PipelinedReply(Deferred[Any]):
    """Fires when Redis has replied.

    One connection keeps the order of commands. So as soon as this command is sent, whatever is sent later takes effect
    after it, without waiting for the reply.
    """

    is_sent = True
    """False while the command waits here: for the end of the turn, or for a connection."""
    parts: tuple[Deferred[Any], ...] = ()
    """Further commands that it consists of."""

    @property
    def is_pipelined(self) -> bool:
        """Whether all of its parts are sent, or done."""
        return self.is_sent and all(_is_done(part) or is_pipelined(part) for part in self.parts)


def _is_done(part: Deferred[Any]) -> bool:
    """It has its result; one that a callback has turned into another Deferred is paused until that one fires."""
    return bool(part.called) and not part.paused


def is_pipelined(awaited: object) -> bool:
    """Whether what is written now takes effect after this; False where only its result tells."""
    return isinstance(awaited, PipelinedReply) and awaited.is_pipelined
