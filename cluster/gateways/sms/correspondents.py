"""Who wrote to a phone last, so that its answer finds the way back."""

from __future__ import annotations

from cluster.gateways.sms.store import Table
from cluster.xmpp.jid import Jid


class Correspondents:
    """The last writer for each pair of a phone and the number that it saw."""

    def __init__(self, table: Table[Jid]) -> None:
        self._table = table
        self._last: dict[str, Jid] = {}

    async def load(self) -> None:
        """Read what earlier processes noted."""
        self._last = await self._table.load()

    def last(self, phone: str, number: str) -> Jid | None:
        """Who wrote to the phone last from this number (a bare JID)."""
        return self._last.get(f"{phone} {number}")

    async def note(self, phone: str, number: str, jid: Jid) -> None:
        """This user and the phone write to each other now."""
        pair = f"{phone} {number}"
        if self._last.get(pair) != jid:
            self._last[pair] = jid
            await self._table.put(pair, jid)
