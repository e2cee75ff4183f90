"""A session: one authenticated and bound stream of a client, as the rest of the server sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster.server.turn import Turn
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from cluster.server.accounts import LocalAccount

MAX_UNSENT_BYTES = 8_388_608
"""What may wait for a client that reads too slowly: some ten thousand messages. Then its stream ends."""


class Session:
    """What is known of one resource, and the way to it. Writes are gathered for each turn of the reactor."""

    __slots__ = (
        "_end", "_turn", "_unsent", "_unsent_bytes", "_writable", "_write",
        "account", "directed", "interested", "jid", "presence", "priority",
    )  # fmt: skip

    def __init__(
        self,
        account: LocalAccount,
        jid: Jid,
        turn: Turn,
        write: Callable[[bytes], None],
        end: Callable[[StreamError], None],
    ) -> None:
        """`write` takes bytes for the client; `end` closes its stream with an error."""
        self.account = account
        self.jid = jid
        self.presence: Stanza | None = None
        """The presence that it broadcast last; None while it is not available (RFC 6121 section 4)."""
        self.priority = 0
        self.interested = False
        """It asked for the roster, so it gets roster pushes (RFC 6121 section 2.1.6)."""
        self.directed: set[Jid] = set()
        """Who has had directed presence and must hear when it goes (RFC 6121 section 4.6)."""
        self._turn = turn
        self._write = write
        self._end = end
        self._unsent: list[Stanza] = []
        self._unsent_bytes = 0
        self._writable = True

    @property
    def available(self) -> bool:
        """RFC 6121 section 4.2: it has sent initial presence."""
        return self.presence is not None

    @property
    def willing(self) -> bool:
        """It takes messages for the bare JID: its priority is not negative (RFC 6121 section 8.5.2)."""
        return self.presence is not None and self.priority >= 0

    def send(self, stanza: Stanza) -> None:
        """Hand a stanza to the client, at the end of this turn."""
        if self._writable and not self._unsent:
            self._turn.add(self.flush)
        self._unsent.append(stanza)  # first, so that it is among what a session that ends here hands on
        self.wrote(len(stanza.raw))

    def wrote(self, size_bytes: int) -> None:
        """So much more is for the client, here or in its transport; too much ends a session that does not read."""
        if not self._writable:
            self._unsent_bytes += size_bytes
            if self._unsent_bytes > MAX_UNSENT_BYTES:
                self._unsent_bytes = 0
                self.end(StreamCondition.POLICY_VIOLATION, "the client does not read what it is sent")

    def flush(self) -> None:
        """Write what waits, if the client keeps up."""
        if self._unsent and self._writable:
            data = b"".join([stanza.raw for stanza in self._unsent])
            self._unsent = []
            self._write(data)

    def pause(self) -> None:
        """The client does not read what it has been sent."""
        self._writable = False

    def resume(self) -> None:
        """The client reads again."""
        self._writable = True
        self._unsent_bytes = 0
        self.flush()

    def end(self, condition: StreamCondition, text: str = "") -> None:
        """Close the client's stream with an error."""
        self._end(StreamError(condition, text))

    def take_unsent(self) -> list[Stanza]:
        """What never reached the transport of a session that is over."""
        unsent, self._unsent = self._unsent, []
        return unsent
