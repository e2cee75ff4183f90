"""Who has had directed presence of a session, and must hear when it goes (RFC 6121 section 4.6)."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid

MAX_DIRECTED_BYTES = 65_536
"""Of their addresses, some two thousand; presence for one more comes back with `resource-constraint`."""


class Directed(set[Jid]):
    """Their addresses."""

    __slots__ = ("_size_bytes",)

    def __init__(self, jids: Iterable[Jid] = ()) -> None:
        super().__init__(jids)
        self._size_bytes = sum(map(_size, self))

    def add(self, jid: Jid) -> None:
        """One more. Raises StanzaError where there is no room for it."""
        if jid in self:
            return
        if self._size_bytes + _size(jid) > MAX_DIRECTED_BYTES:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"directed presence has {len(self)} receivers already")
        super().add(jid)
        self._size_bytes += _size(jid)

    def discard(self, jid: Jid) -> None:  # type: ignore[override]  # of anything, says a set
        """One less."""
        if jid in self:
            super().discard(jid)
            self._size_bytes -= _size(jid)

    def take(self) -> list[Jid]:
        """All of them, who are none any more."""
        taken = [*self]
        self.clear()
        self._size_bytes = 0
        return taken


def _size(jid: Jid) -> int:
    return len(str(jid).encode())
