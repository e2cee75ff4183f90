"""The stores in memory, for tests and for labs that are forgotten with their process."""

from __future__ import annotations

from cluster.store.port import Account, OfflineMessage, RosterItem, Store
from cluster.xmpp.jid import Jid


class MemoryAccounts:
    """An `AccountStore`."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    async def get(self, localpart: str) -> Account | None:
        """The account, None where there is none."""
        return self._accounts.get(localpart)

    async def put(self, account: Account) -> None:
        """Keep it."""
        self._accounts[account.localpart] = account

    async def create(self, account: Account) -> bool:
        """Keep it unless the name is taken; False then."""
        if account.localpart in self._accounts:
            return False
        self._accounts[account.localpart] = account
        return True

    async def delete(self, localpart: str) -> None:
        """Forget it."""
        self._accounts.pop(localpart, None)

    async def names(self) -> list[str]:
        """All localparts, sorted."""
        return sorted(self._accounts)


class MemoryRosters:
    """A `RosterStore`."""

    def __init__(self) -> None:
        self._rosters: dict[str, dict[Jid, RosterItem]] = {}

    async def load(self, localpart: str) -> dict[Jid, RosterItem]:
        """The whole roster, the caller's to change."""
        return dict(self._rosters.get(localpart, {}))

    async def put(self, localpart: str, item: RosterItem) -> None:
        """Keep the contact."""
        self._rosters.setdefault(localpart, {})[item.jid] = item

    async def remove(self, localpart: str, contact: Jid) -> None:
        """Forget the contact."""
        self._rosters.get(localpart, {}).pop(contact, None)

    async def delete(self, localpart: str) -> None:
        """Forget the whole roster."""
        self._rosters.pop(localpart, None)


class MemoryOffline:
    """An `OfflineStore`."""

    def __init__(self) -> None:
        self._messages: dict[str, list[OfflineMessage]] = {}

    async def push(self, localpart: str, message: OfflineMessage, limit: int) -> bool:
        """Keep it, unless `limit` messages wait already; False then."""
        waiting = self._messages.setdefault(localpart, [])
        if len(waiting) >= limit:
            return False
        waiting.append(message)
        return True

    async def load(self, localpart: str) -> list[OfflineMessage]:
        """All that wait, oldest first."""
        return list(self._messages.get(localpart, ()))

    async def drop(self, localpart: str, count: int) -> None:
        """Forget the oldest `count`."""
        del self._messages.get(localpart, [])[:count]

    async def delete(self, localpart: str) -> None:
        """Forget them all."""
        self._messages.pop(localpart, None)


def memory_store() -> Store:
    """An empty memory of one domain."""
    return Store(MemoryAccounts(), MemoryRosters(), MemoryOffline())
