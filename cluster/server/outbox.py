"""The way of stanzas to one stream: gathered for each turn of the reactor, bounded where the peer does not read."""

from __future__ import annotations

from collections.abc import Callable

from cluster.server.turn import Turn
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.stanza import Stanza

MAX_UNSENT_BYTES = 8_388_608
"""What may wait for a peer that reads too slowly: some ten thousand messages. Then its stream ends."""


class Outbox:
    """What is on its way to one peer."""

    __slots__ = ("_end", "_turn", "_unsent", "_unsent_bytes", "_writable", "_write")

    def __init__(self, turn: Turn, write: Callable[[bytes], None], end: Callable[[StreamError], None]) -> None:
        """`write` takes bytes for the peer; `end` closes its stream with an error."""
        self._turn = turn
        self._write = write
        self._end = end
        self._unsent: list[Stanza] = []
        self._unsent_bytes = 0
        self._writable = True

    def send(self, stanza: Stanza) -> None:
        """Hand a stanza to the peer, at the end of this turn."""
        if self._writable:
            if not self._unsent:
                self._turn.add(self.flush)
        else:
            self._unsent_bytes += len(stanza.raw)
            if self._unsent_bytes > MAX_UNSENT_BYTES:
                self._unsent_bytes = 0
                self.end(StreamCondition.POLICY_VIOLATION, "the peer does not read what it is sent")
        self._unsent.append(stanza)

    def flush(self) -> None:
        """Write what waits, if the peer keeps up."""
        if self._unsent and self._writable:
            data = b"".join([stanza.raw for stanza in self._unsent])
            self._unsent = []
            self._write(data)

    def pause(self) -> None:
        """The peer does not read what it has been sent."""
        self._writable = False

    def resume(self) -> None:
        """The peer reads again."""
        self._writable = True
        self._unsent_bytes = 0
        self.flush()

    def end(self, condition: StreamCondition, text: str = "") -> None:
        """Close the peer's stream with an error."""
        self._end(StreamError(condition, text))

    def take_unsent(self) -> list[Stanza]:
        """What never reached the transport of a stream that is over."""
        unsent, self._unsent = self._unsent, []
        return unsent
