"""The stanzas on their way to one stream: gathered for each turn of the reactor, and bounded if the peer does not
read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cluster.base.turn import Turn
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.stanza import Stanza

MAX_UNSENT_BYTES = 8_388_608
"""Of a peer that reads too slowly: some ten thousand messages. Beyond it, its stream ends."""
WINDOW_BYTES = 1_048_576
"""How far the server's own pushes, such as offline messages, may be ahead of what a client has read or acknowledged."""


class Holdback(Protocol):
    """Decides which stanzas are sent now."""

    def let_through(self, stanza: Stanza) -> list[Stanza]:
        """The stanzas to send in place of this one, in order: none, or the held ones and then this one."""

    def take(self) -> list[Stanza]:
        """The held stanzas, oldest first; no more are held from now on."""


class Outbox:
    """The stanzas on their way to one peer."""

    __slots__ = ("_end", "_turn", "_unsent", "_unsent_bytes", "_writable", "_write", "holdback")

    def __init__(self, turn: Turn, write: Callable[[bytes], None], end: Callable[[StreamError], None]) -> None:
        """`write` sends bytes to the peer; `end` closes its stream with an error."""
        self._turn = turn
        self._write = write
        self._end = end
        self._unsent: list[Stanza] = []
        self._unsent_bytes = 0
        self._writable = True
        self.holdback: Holdback | None = None
        """Holds back stanzas that the peer does not want now."""

    @property
    def max_unsent_bytes(self) -> int:
        """The limit of waiting bytes for this peer."""
        return MAX_UNSENT_BYTES

    def send(self, stanza: Stanza) -> None:
        """Send a stanza to the peer, at the end of this turn."""
        if self.holdback is not None:
            for each in self.holdback.let_through(stanza):
                self._send(each)
        else:
            self._send(stanza)

    def _send(self, stanza: Stanza) -> None:
        if self._writable and not self._unsent:
            self._turn.add(self.flush)
        self._unsent.append(stanza)  # first, so that a stream that ends here passes it on with the others
        self.wrote(len(stanza.raw))

    def wrote(self, size_bytes: int) -> None:
        """Count bytes for the peer, here or in its transport; too many end the stream of a peer that does not read."""
        self._unsent_bytes += size_bytes
        if not self._writable and self._unsent_bytes > self.max_unsent_bytes:
            self._unsent_bytes = 0
            self.end(StreamCondition.POLICY_VIOLATION, "the peer does not read what it is sent")

    def flush(self) -> None:
        """Write what waits, if the peer reads."""
        if self._unsent and self._writable:
            unsent, self._unsent, self._unsent_bytes = self._unsent, [], 0
            self._write(self._on_wire(unsent))

    def _on_wire(self, stanzas: list[Stanza]) -> bytes:
        return b"".join([stanza.raw for stanza in stanzas])

    def hold_back(self, holdback: Holdback) -> None:
        """Hold back stanzas that the peer does not want now."""
        self.holdback = holdback

    def stop_holdback(self) -> None:
        """Send the held stanzas, and hold back no more."""
        holdback, self.holdback = self.holdback, None
        for stanza in holdback.take() if holdback is not None else ():
            self.send(stanza)

    def pause(self) -> None:
        """The peer does not read."""
        self._writable = False
        self._unsent_bytes = 0

    def resume(self) -> None:
        """The peer reads again."""
        self._writable = True
        self._unsent_bytes = 0
        self.flush()

    def write_to(self, write: Callable[[bytes], None]) -> None:
        """`write` sends bytes to the peer from now on."""
        self._write = write

    def end(self, condition: StreamCondition, text: str = "") -> None:
        """Close the peer's stream with an error."""
        self._end(StreamError(condition, text))

    def take_unsent(self) -> list[Stanza]:
        """The stanzas that never reached the transport of an ended stream."""
        unsent, self._unsent = self._unsent, []
        return unsent
