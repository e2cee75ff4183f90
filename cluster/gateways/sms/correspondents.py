"""The last user who wrote to each phone, for the phone's answers."""

from __future__ import annotations

from cluster.gateways.sms.store import Table
from cluster.xmpp.jid import Jid

MAX_PAIRS = 20_000
"""Some megabytes. Beyond it the oldest pairs are forgotten: their phones are then asked to name the address again."""


class Correspondents:
    """The last user for each pair of a phone and the number that it saw."""

    def __init__(self, table: Table[Jid]) -> None:
        self._table = table
        self._last: dict[str, Jid] = {}

    async def load(self) -> None:
        """Load what earlier processes stored."""
        self._last = await self._table.load()

    def last(self, phone: str, number: str) -> Jid | None:
        """The user who last wrote to the phone from this number (a bare JID)."""
        return self._last.get(f"{phone} {number}")

    async def note(self, phone: str, number: str, jid: Jid) -> None:
        """Store that this user and the phone write to each other."""
        pair = f"{phone} {number}"
        if self._last.get(pair) != jid:
            self._last.pop(pair, None)
            self._last[pair] = jid
            await self._table.put(pair, jid)
            while len(self._last) > MAX_PAIRS:
                oldest = next(iter(self._last))
                del self._last[oldest]
                await self._table.delete(oldest)
