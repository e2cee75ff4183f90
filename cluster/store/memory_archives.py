"""Archives of messages in memory: each message costs the same, however many there are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from twisted.internet.defer import Deferred, succeed

from cluster.store.archive import MAX_PAGE_BYTES, ArchivedMessage, Entry, Page, select
from cluster.store.limits import Limit
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid


class MemoryArchive:
    """The messages of one account, by their ids, oldest first."""

    __slots__ = ("messages", "size_bytes")

    def __init__(self) -> None:
        self.messages: OrderedDict[str, ArchivedMessage] = OrderedDict()
        self.size_bytes = 0

    def put(self, message: ArchivedMessage) -> None:
        """Store it, at the place of the one with its id if there is one."""
        if (former := self.messages.get(message.id)) is not None:
            self.size_bytes -= len(former.stanza.raw)
        self.messages[message.id] = message
        self.size_bytes += len(message.stanza.raw)

    def append(self, message: ArchivedMessage, limit: Limit) -> None:
        """Store it; beyond the limit, the oldest are removed."""
        self.put(message)
        while len(self.messages) > limit.count or self.size_bytes > limit.size_bytes:
            self.size_bytes -= len(self.messages.popitem(last=False)[1].stanza.raw)


class MemoryArchives:
    """An `ArchiveStore`."""

    def __init__(self) -> None:
        self._archives: dict[str, MemoryArchive] = {}

    def append(self, localpart: str, message: ArchivedMessage, limit: Limit) -> Deferred[None]:
        """Store it; beyond the limit, the oldest are removed."""
        archive = self._archives.get(localpart)
        if archive is None:
            archive = self._archives[localpart] = MemoryArchive()
        archive.append(message, limit)
        return succeed(None)

    def append_again(self, localpart: str, message: ArchivedMessage, limit: Limit) -> None:
        """Store it, unless its id is stored already."""
        if message.id not in self._messages(localpart):
            self.append(localpart, message, limit)

    def replace(self, localpart: str, message: ArchivedMessage) -> Deferred[None]:
        """Keep it in place of the one with its id, if there is one."""
        if message.id in self._messages(localpart):
            self._archives[localpart].put(message)
        return succeed(None)

    async def query(self, account: Jid, query: Query) -> Page:
        """A page of the account's archive. Raises UnknownId."""
        archive = [*self._messages(account.localpart).values()]
        chosen = select([Entry.of(message) for message in archive], account, query)
        found: list[ArchivedMessage] = []
        size_bytes = 0
        for place in chosen.to_read:
            if size_bytes > MAX_PAGE_BYTES:
                break
            found.append(archive[place])
            size_bytes += len(found[-1].stanza.raw)
        return chosen.page(found)

    def forget(self, localpart: str) -> None:
        """Remove the archive."""
        self._archives.pop(localpart, None)

    def _messages(self, localpart: str) -> Mapping[str, ArchivedMessage]:
        archive = self._archives.get(localpart)
        return {} if archive is None else archive.messages
