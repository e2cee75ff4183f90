"""Archives in Redis: a list of entries, in order, and a hash of the messages, for each account or room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from weakref import WeakValueDictionary

import msgspec
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from cluster.base.pipelined import PipelinedReply
from cluster.base.storage import log_failed
from cluster.base.turn import Stage, Turn
from cluster.redisio.client import RedisClient
from cluster.redisio.protocol import Command
from cluster.redisio.retrying_writer import RetryingWriter
from cluster.store.archive import MAX_PAGE_BYTES, ArchivedMessage, Entry, Page, select
from cluster.store.limits import Limit
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid

_encode = msgspec.msgpack.Encoder().encode
_entry = msgspec.msgpack.Decoder(Entry).decode
_archived_message = msgspec.msgpack.Decoder(ArchivedMessage).decode

_FORGET_OLDEST = """
local count = redis.call('LLEN', KEYS[1]) - tonumber(ARGV[1])
if ARGV[2] then
  local entries, size = redis.call('LRANGE', KEYS[1], 0, -1), 0
  for at = #entries, math.max(count, 0) + 1, -1 do
    size = size + redis.call('HSTRLEN', KEYS[2], cmsgpack.unpack(entries[at])[1])
    if size > tonumber(ARGV[2]) then count = at; break end
  end
end
for _, entry in ipairs(count > 0 and redis.call('LRANGE', KEYS[1], 0, count - 1) or {}) do
  redis.call('HDEL', KEYS[2], cmsgpack.unpack(entry)[1])
end
redis.call('LTRIM', KEYS[1], math.max(count, 0), -1)
"""
"""For an archive, which is a list and a hash: removes entries beyond a number and, if requested, beyond a number of
bytes."""

_READ = """
local found, size = {}, 0
for at = 2, #ARGV do
  if size > tonumber(ARGV[1]) then break end
  local message = redis.call('HGET', KEYS[1], ARGV[at])
  found[at - 1], size = message, size + #(message or '')
end
return found
"""
"""The first of some messages of an archive, by bytes."""

_REPLACE = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
"""

MAX_BATCH_BYTES = 1 << 20
"""Of messages that wait to be written."""
_PAGE_ENTRIES = 500
"""Entries in one reply: typically 60 KiB."""
_CHECK_SHARE = 16
"""The messages of an archive, and their bytes, are counted each time that this part of their limit was added."""
_MAX_UNCHECKED = 10_000
"""Archives for which the additions since the last count are known."""


class _Appended:
    """Additions to one account's archive since the last write."""

    __slots__ = ("again", "entries", "limit", "new", "size_bytes")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.new: list[str | bytes] = []
        """Ids, each before its message."""
        self.again: list[tuple[str, bytes]] = []
        """Of messages that may be stored already."""
        self.entries: list[bytes] = []
        """Of both, in order."""
        self.size_bytes = 0

    def commands(self, index: str, messages: str) -> Iterator[Command]:
        """`index`: the key of the list, `messages`: of the hash. Plain commands cost half as much as a script."""
        if self.new:
            yield "HSET", messages, *self.new
        for id, message in self.again:
            yield "HSETNX", messages, id, message
        yield "RPUSH", index, *self.entries  # a repetition is twice in the list only


class _Batch:
    """Additions to all archives since the last write, by account. They settle together."""

    __slots__ = ("appended", "is_due", "settled", "size_bytes")

    def __init__(self) -> None:
        self.appended: dict[str, _Appended] = {}
        self.size_bytes = 0
        self.is_due = False
        """It is written at the end of this turn."""
        self.settled = PipelinedReply()
        self.settled.is_sent = False


class RedisArchives:
    """An `ArchiveStore`: for each account a list of entries, in order, and a hash of the messages by their ids.

    Additions of a turn of the reactor are written at its end, repetitions after a crash with those of a later turn.
    """

    _log = Logger()

    def __init__(
        self, client: RedisClient, insistent: RetryingWriter, keys_of: Callable[[str], tuple[str, str]], turn: Turn
    ) -> None:
        """`keys_of`: for a localpart, the names of the list and of the hash."""
        self._client = client
        self._insistent = insistent
        self._keys_of = keys_of
        self._turn = turn
        self._batch: _Batch | None = None
        self._is_gathered = False
        """It is written soon."""
        self._unchecked: dict[str, tuple[int, int]] = {}
        self._readers: WeakValueDictionary[str, DeferredLock] = WeakValueDictionary()

    def append(self, localpart: str, message: ArchivedMessage, limit: Limit) -> Deferred[None]:
        """Store it; beyond the limit, the oldest are removed."""
        batch, appended, encoded = self._add(localpart, message, limit)
        appended.new += message.id, encoded
        if not batch.is_due:
            batch.is_due = True
            self._turn.add(self.write, Stage.ARCHIVES)
        return batch.settled

    def append_again(self, localpart: str, message: ArchivedMessage, limit: Limit) -> None:
        """Store it soon, unless its id is stored already."""
        batch, appended, encoded = self._add(localpart, message, limit)
        appended.again.append((message.id, encoded))
        if not (batch.is_due or self._is_gathered):
            self._is_gathered = True
            self._turn.soon(self._write_gathered, Stage.ARCHIVES)

    def replace(self, localpart: str, message: ArchivedMessage) -> Deferred[None]:
        """Keep it in place of the one with its id, if there is one."""
        self.write()
        command: Command = ("EVAL", _REPLACE, 1, self._keys_of(localpart)[1], message.id, _encode(message))
        return self._insistent.write([command]).addCallback(lambda _: None)

    def _add(self, localpart: str, message: ArchivedMessage, limit: Limit) -> tuple[_Batch, _Appended, bytes]:
        batch = self._batch
        if batch is None or batch.size_bytes > MAX_BATCH_BYTES:
            self.write()
            batch = self._batch = _Batch()
        appended = batch.appended.get(localpart)
        if appended is None:
            appended = batch.appended[localpart] = _Appended(limit)
        encoded = _encode(message)
        appended.entries.append(_encode(Entry.of(message)))
        appended.size_bytes += len(encoded)
        batch.size_bytes += len(encoded)
        return batch, appended, encoded

    def _write_gathered(self) -> None:
        self._is_gathered = False
        self.write()

    def write(self) -> None:
        """Write all additions: before anything that is to find them."""
        batch, self._batch = self._batch, None
        if batch is None:
            return
        batch.settled.is_sent = True
        commands: list[Command] = []
        for localpart, appended in batch.appended.items():
            commands += appended.commands(*self._keys_of(localpart))
        self._insistent.write(commands).addCallback(self._on_written, batch)

    def _on_written(self, reply: object, batch: _Batch) -> None:
        if reply is not None:  # otherwise Redis refused it
            for localpart, appended in batch.appended.items():
                self._check_size(localpart, appended)
        batch.settled.callback(None)

    def _check_size(self, localpart: str, appended: _Appended) -> None:
        count, size_bytes = self._unchecked.pop(localpart, (0, 0))
        count += len(appended.entries)
        size_bytes += appended.size_bytes
        limit = appended.limit
        if size_bytes > limit.size_bytes // _CHECK_SHARE:
            self._forget_oldest(localpart, limit.count, limit.size_bytes)
            return
        if count > limit.count // _CHECK_SHARE:
            self._forget_oldest(localpart, limit.count)
            count = 0
        self._unchecked[localpart] = count, size_bytes
        if len(self._unchecked) > _MAX_UNCHECKED:
            oldest = next(iter(self._unchecked))
            del self._unchecked[oldest]
            self._forget_oldest(oldest, limit.count, limit.size_bytes)

    def _forget_oldest(self, localpart: str, *limits: int) -> None:
        forgotten = self._client.execute("EVAL", _FORGET_OLDEST, 2, *self._keys_of(localpart), *limits)
        forgotten.addErrback(partial(log_failed, self._log, "Forgetting what an archive has too much"))

    async def query(self, account: Jid, query: Query) -> Page:
        """A page of the account's archive; one at a time, since each has all entries in memory. Raises UnknownId."""
        lock = self._readers.setdefault(account.localpart, DeferredLock())
        await lock.acquire()
        try:
            return await self._query(account, query)
        finally:
            lock.release()

    async def _query(self, account: Jid, query: Query) -> Page:
        self.write()
        index, messages = self._keys_of(account.localpart)
        archive = await self._entries(index)
        chosen = select(archive, account, query)
        if not chosen.places:
            return chosen.page([])
        ids = [archive[place].id for place in chosen.to_read]
        found = await self._client.execute("EVAL", _READ, 1, messages, MAX_PAGE_BYTES, *ids)
        # None for what was removed meanwhile
        return chosen.page([None if value is None else _archived_message(value) for value in found])

    async def _entries(self, index: str) -> list[Entry]:
        """All entries in order. Pages are read newest first: entries that are removed meanwhile move the others."""
        pages: list[list[Entry]] = []
        end: int = await self._client.execute("LLEN", index)
        while end > 0:
            begin = max(0, end - _PAGE_ENTRIES)
            pages.append([_entry(value) for value in await self._client.execute("LRANGE", index, begin, end - 1)])
            end = begin
        entries: dict[str, Entry] = {}
        for page in reversed(pages):
            for entry in page:
                entries.setdefault(entry.id, entry)
        return [*entries.values()]
