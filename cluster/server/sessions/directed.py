"""The receivers of a session's directed presence, who must be told when it goes (RFC 6121 section 4.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid

MAX_DIRECTED_BYTES = 65_536
"""Of their addresses, some two thousand; presence for one more comes back with `resource-constraint`."""


class Directed(Set[Jid]):
    """Their addresses, in the order in which they are told."""

    __slots__ = ("_jids", "_size_bytes")

    def __init__(self, jids: Iterable[Jid] = ()) -> None:
        self._jids = dict.fromkeys(jids)
        self._size_bytes = sum(map(_size, self._jids))

    def __contains__(self, jid: object) -> bool:
        return jid in self._jids

    def __iter__(self) -> Iterator[Jid]:
        return iter(self._jids)

    def __len__(self) -> int:
        return len(self._jids)

    def add(self, jid: Jid) -> None:
        """Add an address. Raises StanzaError if there is no room for it."""
        if jid in self._jids:
            return
        if self._size_bytes + _size(jid) > MAX_DIRECTED_BYTES:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"directed presence has {len(self)} receivers already")
        self._jids[jid] = None
        self._size_bytes += _size(jid)

    def discard(self, jid: Jid) -> None:
        """Remove an address."""
        if jid in self._jids:
            del self._jids[jid]
            self._size_bytes -= _size(jid)

    def take(self) -> list[Jid]:
        """Remove and return all addresses."""
        taken = [*self._jids]
        self._jids.clear()
        self._size_bytes = 0
        return taken


def _size(jid: Jid) -> int:
    return len(str(jid).encode())
