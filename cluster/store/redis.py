"""The stores in Redis: one command for each method.

They fail with ConnectionLost while Redis is away, apart from what may be written twice: that waits until it is back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.redisio.client import RedisClient
from cluster.redisio.insistent import Insistent
from cluster.redisio.keys import Keys
from cluster.store.archive import ArchivedMessage, Entry, Page, select
from cluster.store.port import Account, OfflineMessage, RosterItem, Store
from cluster.store.redis_sessions import RedisSessions
from cluster.xmpp.jid import Jid
from cluster.xmpp.mam import Query

_encode = msgspec.msgpack.Encoder().encode
_account = msgspec.msgpack.Decoder(Account).decode
_roster_item = msgspec.msgpack.Decoder(RosterItem).decode
_offline_message = msgspec.msgpack.Decoder(OfflineMessage).decode
_entry = msgspec.msgpack.Decoder(Entry).decode
_archived_message = msgspec.msgpack.Decoder(ArchivedMessage).decode

_PUSH_BELOW_LIMIT = """
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
return 1
"""
"""A script, because no command appends to a list only while it is short."""

_SET_BELOW_LIMIT = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""
"""In the same way, for a hash."""

_FORGET_OLDEST = """
local count = redis.call('LLEN', KEYS[1]) - tonumber(ARGV[1])
for _, entry in ipairs(count > 0 and redis.call('LRANGE', KEYS[1], 0, count - 1) or {}) do
  redis.call('HDEL', KEYS[2], cmsgpack.unpack(entry)[1])
end
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[1]), -1)
"""
"""For an archive, which is a list and a hash."""

_REPLACE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""

_FORGET_ACCOUNT = """
redis.call('HDEL', KEYS[1], ARGV[1])
for _, id in ipairs(redis.call('HKEYS', KEYS[3])) do
  redis.call('DEL', ARGV[2] .. id)
  redis.call('HDEL', KEYS[2], id)
end
redis.call('DEL', unpack(KEYS, 3))
"""
"""Keys: accounts, sessions, those of the account, what else is its own; arguments: localpart, how keys of sessions
begin."""

_SEED = """
if redis.call('HSETNX', KEYS[2], ARGV[1], '') == 0 then return end
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
"""
"""Keys: accounts, seeded, roster; arguments: localpart, account, contacts and their items."""


class RedisAccounts:
    """An `AccountStore`: one hash for the domain."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._keys = keys
        self._domain = domain
        self._key = keys.accounts(domain)

    async def get(self, localpart: str) -> Account | None:
        """The account, None where there is none."""
        value = await self._client.execute("HGET", self._key, localpart)
        return None if value is None else _account(value)

    async def create(self, account: Account) -> bool:
        """Keep it unless the name is taken; False then."""
        return bool(await self._client.execute("HSETNX", self._key, account.localpart, _encode(account)))

    async def replace(self, before: Account, account: Account) -> bool:
        """Keep it in place of `before`, if that is what is kept."""
        records = _encode(before), _encode(account)
        return bool(await self._client.execute("EVAL", _REPLACE, 1, self._key, account.localpart, *records))

    async def delete(self, localpart: str) -> None:
        """Forget it and all that is kept of it."""
        keys, domain = self._keys, self._domain
        own = keys.sessions_of(domain, localpart), *keys.of_account(domain, localpart)
        names = self._key, keys.sessions(domain), *own
        await self._client.execute("EVAL", _FORGET_ACCOUNT, len(names), *names, localpart, keys.session(domain, ""))

    async def is_seeded(self, localpart: str) -> bool:
        """`seed` made it once."""
        return bool(await self._client.execute("HEXISTS", self._keys.seeded(self._domain), localpart))

    async def seed(self, account: Account, roster: Sequence[RosterItem]) -> None:
        """Make it and its roster, unless there is or was one."""
        localpart = account.localpart
        names = self._key, self._keys.seeded(self._domain), self._keys.roster(self._domain, localpart)
        items = (part for item in roster for part in (str(item.jid), _encode(item)))
        await self._client.execute("EVAL", _SEED, len(names), *names, localpart, _encode(account), *items)

    async def names(self) -> list[str]:
        """All localparts, sorted."""
        return sorted(name.decode() for name in await self._client.execute("HKEYS", self._key))


class RedisRosters:
    """A `RosterStore`: one hash for each roster."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._keys = keys
        self._domain = domain

    async def load(self, localpart: str) -> dict[Jid, RosterItem]:
        """The whole roster."""
        found = await self._client.execute("HGETALL", self._keys.roster(self._domain, localpart))
        items = map(_roster_item, found.values())
        return {item.jid: item for item in items}

    async def put(self, localpart: str, item: RosterItem) -> None:
        """Keep the contact."""
        key = self._keys.roster(self._domain, localpart)
        await self._client.execute("HSET", key, str(item.jid), _encode(item))

    async def remove(self, localpart: str, contact: Jid) -> None:
        """Forget the contact."""
        await self._client.execute("HDEL", self._keys.roster(self._domain, localpart), str(contact))


class RedisOffline:
    """An `OfflineStore`: one list for each account."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._keys = keys
        self._domain = domain

    async def push(self, localpart: str, message: OfflineMessage, limit: int) -> bool:
        """Keep it, unless `limit` messages wait already; False then."""
        key = self._keys.offline(self._domain, localpart)
        return bool(await self._client.execute("EVAL", _PUSH_BELOW_LIMIT, 1, key, _encode(message), limit))

    async def load(self, localpart: str) -> list[OfflineMessage]:
        """All that wait, oldest first."""
        found = await self._client.execute("LRANGE", self._keys.offline(self._domain, localpart), 0, -1)
        return [_offline_message(value) for value in found]

    async def drop(self, localpart: str, count: int) -> None:
        """Forget the oldest `count`."""
        await self._client.execute("LTRIM", self._keys.offline(self._domain, localpart), count, -1)


class RedisDocuments:
    """A `DocumentStore`: one hash for each account."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._keys = keys
        self._domain = domain

    async def get(self, localpart: str, name: str) -> bytes | None:
        """The document, None where there is none."""
        value: bytes | None = await self._client.execute("HGET", self._keys.documents(self._domain, localpart), name)
        return value

    async def put(self, localpart: str, name: str, document: bytes, limit: int | None = None) -> bool:
        """Keep it; with a limit, only if it replaces one or the account has fewer documents; False else."""
        key = self._keys.documents(self._domain, localpart)
        if not document:
            await self._client.execute("HDEL", key, name)
        elif limit is None:
            await self._client.execute("HSET", key, name, document)
        else:
            return bool(await self._client.execute("EVAL", _SET_BELOW_LIMIT, 1, key, name, document, limit))
        return True


class RedisArchives:
    """An `ArchiveStore`: for each account a list of entries, in order, and a hash of the messages by their ids."""

    _log = Logger()

    def __init__(self, client: RedisClient, insistent: Insistent, keys: Keys, domain: str) -> None:
        self._client = client
        self._insistent = insistent
        self._keys = keys
        self._domain = domain

    def _keys_of(self, localpart: str) -> tuple[str, str]:
        return self._keys.archive_index(self._domain, localpart), self._keys.archive(self._domain, localpart)

    def append(self, localpart: str, message: ArchivedMessage, limit: int) -> Deferred[None]:
        """Keep it, unless one of that id is there already; beyond the limit, the oldest is forgotten."""
        index, messages = self._keys_of(localpart)
        # two plain commands are a third of the cost of a script; what comes twice is twice in the list only
        pushed = self._insistent.write(
            (("HSETNX", messages, message.id, _encode(message)), ("RPUSH", index, _encode(Entry.of(message))))
        )
        return pushed.addCallback(self._forget_oldest, index, messages, limit)

    def _forget_oldest(self, length: int, index: str, messages: str, limit: int) -> None:
        if length > limit:
            forgotten = self._client.execute("EVAL", _FORGET_OLDEST, 2, index, messages, limit)
            forgotten.addErrback(lambda failure: self._log.failure("Forgetting what an archive has too much", failure))

    async def query(self, account: Jid, query: Query) -> Page:
        """A page of the account's archive. Raises UnknownId."""
        index, messages = self._keys_of(account.localpart)
        entries: dict[str, Entry] = {}
        for value in await self._client.execute("LRANGE", index, 0, -1):
            entry = _entry(value)
            entries.setdefault(entry.id, entry)
        archive = [*entries.values()]
        chosen = select(archive, account, query)
        ids = [archive[place].id for place in chosen.places]
        found = await self._client.execute("HMGET", messages, *ids) if ids else []
        # what has been pushed out of the archive meanwhile is None
        page = [_archived_message(value) for value in found if value is not None]
        return Page(page, chosen.first_index, chosen.count, chosen.is_complete)


class RedisSecrets:
    """A `SecretStore`: one hash."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._key = keys.secrets(domain)

    async def get(self, name: str, new: bytes) -> bytes:
        """The secret of this name, which is `new` where there was none."""
        self._client.post("HSETNX", self._key, name, new)
        secret: bytes = await self._client.execute("HGET", self._key, name)
        return secret


def redis_store(client: RedisClient, keys: Keys, domain: str) -> Store:
    """What the domain remembers in this Redis. Make it before the router is started: see `Insistent`."""
    insistent = Insistent(client)
    return Store(
        RedisAccounts(client, keys, domain),
        RedisRosters(client, keys, domain),
        RedisOffline(client, keys, domain),
        RedisDocuments(client, keys, domain),
        RedisArchives(client, insistent, keys, domain),
        RedisSecrets(client, keys, domain),
        RedisSessions(client, insistent, keys, domain),
    )
