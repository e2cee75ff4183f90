"""What becomes of a command: the reply, and before it, that it is on its way."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred


class PipelinedReply(Deferred[Any]):
    """Fires when Redis has replied.

    One connection keeps the order of commands. So as soon as this is written, whatever is written behind it takes
    effect only behind it, and need not wait for the reply.
    """

    is_sent = True
    """False while the command itself waits: for the end of the turn, or for a connection."""
    parts: tuple[Deferred[Any], ...] = ()
    """What else it stands for."""

    @property
    def is_pipelined(self) -> bool:
        """All that it stands for is written."""
        return self.is_sent and all(is_pipelined(part) for part in self.parts)


def is_pipelined(awaited: object) -> bool:
    """Whatever is written now takes effect behind this; False where nobody knows before it has fired."""
    return isinstance(awaited, PipelinedReply) and awaited.is_pipelined
