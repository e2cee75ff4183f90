"""The stores in memory, for tests and for labs that end with their process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from twisted.internet.defer import Deferred, succeed

from cluster.redisio.pages import PAGE_BYTES
from cluster.store.limits import DEFAULTS, Limit
from cluster.store.memory_archives import MemoryArchives
from cluster.store.memory_pubsub import MemoryPubsub
from cluster.store.memory_rooms import MemoryRooms
from cluster.store.memory_tokens import MemoryTokens
from cluster.store.port import PAGE_MESSAGES, Account, OfflineMessage, RosterItem, Store
from cluster.store.session import KeptSession, SentStanza, SessionChange, SessionRecord
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

_NOBODY: frozenset[Jid] = frozenset()


class MemoryOfAccounts(Protocol):
    """Stores something for accounts."""

    def forget(self, localpart: str) -> None:
        """Remove everything of the account."""


class MemoryAccounts:
    """An `AccountStore`."""

    def __init__(self, rosters: MemoryRosters, others: Iterable[MemoryOfAccounts] = ()) -> None:
        """`others`: stores whose contents are removed with an account."""
        self._accounts: dict[str, Account] = {}
        self._seeded: set[str] = set()
        self._rosters = rosters
        self._others = (rosters, *others)

    async def get(self, localpart: str) -> Account | None:
        """The account, or None."""
        return self._accounts.get(localpart)

    async def create(self, account: Account) -> bool:
        """Store it unless the name is taken; False then."""
        if account.localpart in self._accounts:
            return False
        self._accounts[account.localpart] = account
        return True

    async def replace(self, before: Account, account: Account) -> bool:
        """Store it if `before` is what is stored."""
        if self._accounts.get(account.localpart) != before:
            return False
        self._accounts[account.localpart] = account
        return True

    async def delete(self, localpart: str) -> None:
        """Remove the account and everything that is stored for it."""
        self._accounts.pop(localpart, None)
        for other in self._others:
            other.forget(localpart)

    async def is_seeded(self, localpart: str) -> bool:
        """Whether `seed` created it once."""
        return localpart in self._seeded

    async def seed(self, account: Account, roster: Sequence[RosterItem]) -> None:
        """Create it and its roster, unless it exists or existed."""
        if account.localpart not in self._seeded and await self.create(account):
            for item in roster:
                await self._rosters.put(account.localpart, item)
        self._seeded.add(account.localpart)

    async def count(self) -> int:
        """The number of accounts."""
        return len(self._accounts)

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
        """Store the contact."""
        self._rosters.setdefault(localpart, {})[item.jid] = item

    async def remove(self, localpart: str, contact: Jid) -> None:
        """Remove the contact."""
        self._rosters.get(localpart, {}).pop(contact, None)

    def forget(self, localpart: str) -> None:
        """Remove the roster."""
        self._rosters.pop(localpart, None)


class MemoryOffline:
    """An `OfflineStore`."""

    def __init__(self) -> None:
        self._messages: dict[str, deque[OfflineMessage]] = {}
        self._sizes_bytes: dict[str, int] = {}
        self._total_bytes = 0

    async def push(
        self,
        localpart: str,
        message: OfflineMessage,
        limit: Limit,
        total_bytes: int = DEFAULTS.offline_total_bytes,
        *,
        first: bool = False,
    ) -> bool:
        """Store it unless that exceeds a limit; False then. `first`: as the oldest."""
        waiting, size_bytes = self._messages.get(localpart, deque()), len(message.stanza.raw)
        is_full = len(waiting) >= limit.count or self._sizes_bytes.get(localpart, 0) + size_bytes > limit.size_bytes
        if is_full or self._total_bytes + size_bytes > total_bytes:
            return False
        self._messages[localpart] = waiting
        if first:
            waiting.appendleft(message)
        else:
            waiting.append(message)
        self._grow(localpart, size_bytes)
        return True

    async def page(self, localpart: str) -> list[OfflineMessage]:
        """The oldest waiting messages."""
        page: list[OfflineMessage] = []
        size_bytes = 0
        for message in islice(self._messages.get(localpart, ()), PAGE_MESSAGES):
            page.append(message)
            size_bytes += len(message.stanza.raw)
            if size_bytes > PAGE_BYTES:
                break
        return page

    async def drop(self, localpart: str, count: int) -> None:
        """Remove the oldest `count`."""
        waiting = self._messages.get(localpart, deque())
        for _ in range(min(count, len(waiting))):
            self._grow(localpart, -len(waiting.popleft().stanza.raw))
        if not waiting:
            self.forget(localpart)

    def forget(self, localpart: str) -> None:
        """Remove all messages."""
        self._messages.pop(localpart, None)
        self._total_bytes -= self._sizes_bytes.pop(localpart, 0)

    def _grow(self, localpart: str, by_bytes: int) -> None:
        self._sizes_bytes[localpart] = self._sizes_bytes.get(localpart, 0) + by_bytes
        self._total_bytes += by_bytes


class MemoryDocuments:
    """A `DocumentStore`."""

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, bytes]] = {}

    async def get(self, localpart: str, name: str) -> bytes | None:
        """The document, or None."""
        return self._documents.get(localpart, {}).get(name)

    async def several(self, localpart: str, names: Sequence[str]) -> list[bytes | None]:
        """The documents of these names."""
        kept = self._documents.get(localpart, {})
        return [kept.get(name) for name in names]

    async def put(self, localpart: str, name: str, document: bytes, limit: Limit | None = None) -> bool:
        """Store it unless that exceeds the limit; False then."""
        kept = self._documents.setdefault(localpart, {})
        if not document:
            kept.pop(name, None)
            return True
        if limit is not None:
            size_bytes = sum(map(len, {**kept, name: document}.values()))
            grows = len(document) > len(kept.get(name, b""))
            if (name not in kept and len(kept) >= limit.count) or (grows and size_bytes > limit.size_bytes):
                return False
        kept[name] = document
        return True

    def forget(self, localpart: str) -> None:
        """Remove all documents."""
        self._documents.pop(localpart, None)


class MemorySecrets:
    """A `SecretStore`."""

    def __init__(self) -> None:
        self._secrets: dict[str, bytes] = {}

    async def get(self, name: str, new: bytes) -> bytes:
        """The secret of this name, which is `new` if there was none."""
        return self._secrets.setdefault(name, new)


def _may_come_again(stanza: Stanza) -> bool:
    """Whether a copy that an entry of a link or inbox brings after a crash is to be recognised: see `KeptSession`."""
    return stanza.kind == "message" or (stanza.kind == "iq" and stanza.from_ is not None)


class MemorySessions:
    """A `SessionStore`."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, SessionRecord]] = {}
        self._counts: dict[str, tuple[int, int]] = {}
        self._sent: dict[str, dict[int, SentStanza]] = {}
        self._directed: dict[str, frozenset[Jid]] = {}

    def note(self, changes: Sequence[SessionChange]) -> Deferred[None]:
        """Store the changes."""
        for change in changes:
            sent = self._sent.get(change.id)
            if sent is None:
                sent = self._sent[change.id] = {}
            for each in change.sent:
                sent[each.number] = each
            for number in change.forgotten:
                sent.pop(number, None)
            _, acknowledged = self._counts.get(change.id, (0, 0))
            for number in range(acknowledged + 1, change.acknowledged + 1):
                if number in sent and not _may_come_again(sent[number].stanza):
                    del sent[number]
            if change.record is not None:
                self._records.setdefault(change.localpart, {})[change.id] = change.record
            if change.directed or change.undirected:
                directed = self._directed.get(change.id, _NOBODY)
                self._directed[change.id] = (directed - change.undirected) | change.directed
            self._counts[change.id] = change.handled, change.acknowledged
        return succeed(None)

    async def load(self, localpart: str) -> list[KeptSession]:
        """All sessions of an account."""
        return [
            KeptSession(
                record,
                *self._counts[id],
                tuple(each for _, each in sorted(self._sent[id].items())),
                self._directed.get(id, _NOBODY),
            )
            for id, record in self._records.get(localpart, {}).items()
        ]

    def delete(self, localpart: str, id: str) -> Deferred[None]:
        """Remove a session."""
        self._records.get(localpart, {}).pop(id, None)
        self._counts.pop(id, None)
        self._sent.pop(id, None)
        self._directed.pop(id, None)
        return succeed(None)

    def forget(self, localpart: str) -> None:
        """Remove all sessions of an account."""
        for id in [*self._records.pop(localpart, {})]:
            self.delete(localpart, id)


def memory_store() -> Store:
    """An empty store for one domain."""
    rosters, offline, documents = MemoryRosters(), MemoryOffline(), MemoryDocuments()
    archives, sessions, pubsub = MemoryArchives(), MemorySessions(), MemoryPubsub()
    tokens, room_archives = MemoryTokens(), MemoryArchives()
    accounts = MemoryAccounts(rosters, (offline, documents, archives, tokens, sessions, pubsub))
    rooms = MemoryRooms(room_archives.forget)
    return Store(
        accounts, rosters, offline, documents, archives, MemorySecrets(), tokens, sessions, pubsub, rooms,
        room_archives,
    )  # fmt: skip
