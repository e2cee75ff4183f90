"""A spool and a ledger in memory, for tests and simulations."""

from __future__ import annotations

from collections.abc import Callable

from cluster.protocols.smtp.port import KEPT_S, Mail, Record


class MemorySpool:
    """A `Spool`."""

    def __init__(self) -> None:
        self._mails: dict[str, Mail] = {}

    async def put(self, mail: Mail) -> None:
        """Store the mail."""
        self._mails[mail.id] = mail

    async def drop(self, id: str) -> None:
        """Remove the mail."""
        self._mails.pop(id, None)

    async def load(self) -> list[Mail]:
        """All stored mails."""
        return sorted(self._mails.values(), key=lambda mail: mail.accepted_utc_s)


class MemoryLedger:
    """A `Ledger`."""

    def __init__(self, now_utc_s: Callable[[], float]) -> None:
        self._now_utc_s = now_utc_s
        self._periods: dict[int, dict[str, Record]] = {}

    async def note(self, key: str, record: Record) -> None:
        """Store what is known of a mail."""
        period = int(self._now_utc_s() // KEPT_S)
        for old in [old for old in self._periods if old < period - 1]:
            del self._periods[old]
        self._periods.setdefault(period, {})[key] = record

    async def find(self, key: str) -> Record | None:
        """What is stored of a mail."""
        period = int(self._now_utc_s() // KEPT_S)
        known = (self._periods.get(each, {}).get(key) for each in (period, period - 1))
        return next((record for record in known if record is not None), None)
