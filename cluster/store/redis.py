"""The stores in Redis: one command for each method, or for each page that is read.

They fail with ConnectionLost while Redis is away, except writes that may be repeated: those wait until Redis is back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from twisted.internet.defer import DeferredSemaphore

from cluster.base.turn import Turn
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.pages import read_hash
from cluster.redisio.retrying_writer import RetryingWriter
from cluster.store.limits import Limit
from cluster.store.port import Account, RosterItem, Store
from cluster.store.redis_archives import RedisArchives
from cluster.store.redis_offline import RedisOffline
from cluster.store.redis_pubsub import RedisPubsub
from cluster.store.redis_replace import REPLACE
from cluster.store.redis_rooms import RedisRooms
from cluster.store.redis_sessions import RedisSessions
from cluster.store.redis_tokens import RedisTokens
from cluster.xmpp.jid import Jid

_encode = msgspec.msgpack.Encoder().encode
_account = msgspec.msgpack.Decoder(Account).decode
_roster_item = msgspec.msgpack.Decoder(RosterItem).decode

_SET_BELOW_LIMIT = """
local names, size = redis.call('HKEYS', KEYS[1]), #ARGV[2]
local before = redis.call('HSTRLEN', KEYS[1], ARGV[1])
for _, name in ipairs(names) do size = size + redis.call('HSTRLEN', KEYS[1], name) end
if before == 0 and #names >= tonumber(ARGV[3]) then return 0 end
if #ARGV[2] > before and size - before > tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""
"""Sets a field of a hash of few fields, none of which is empty, unless that exceeds a limit."""

_FORGET_ACCOUNT = """
for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do
  redis.call('DEL', ARGV[2] .. id)
  redis.call('HDEL', KEYS[1], id)
end
for _, name in ipairs(redis.call('HKEYS', KEYS[3])) do redis.call('DEL', ARGV[4] .. name, ARGV[5] .. name) end
local own = 1 + tonumber(ARGV[3])
redis.call('DEL', unpack(KEYS, 2, own))
for at = own + 1, #KEYS do
  if redis.call('HEXISTS', KEYS[at], '') == 1 then
    redis.call('HINCRBY', KEYS[at], '', -(redis.call('HGET', KEYS[at], ARGV[1]) or 0))
  end
  redis.call('HDEL', KEYS[at], ARGV[1])
end
"""
"""Keys: sessions, those of the account, its nodes, the account's other keys, hashes by account, which may have a sum
under an empty name; arguments: localpart, prefix of the keys of sessions, number of the account's other keys, prefix of
the items of its nodes."""

_SEED = """
if redis.call('HSETNX', KEYS[2], ARGV[1], '') == 0 then return end
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
"""
"""Keys: accounts, seeded, roster; arguments: localpart, account, contacts and their items."""


class RedisAccounts:
    """An `AccountStore`: one hash for the domain."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str, archives: RedisArchives) -> None:
        self._archives = archives
        self._client = client
        self._keys = keys
        self._domain = domain
        self._key = keys.accounts(domain)

    async def get(self, localpart: str) -> Account | None:
        """The account, or None."""
        value = await self._client.execute("HGET", self._key, localpart)
        return None if value is None else _account(value)

    async def create(self, account: Account) -> bool:
        """Store it unless the name is taken; False then."""
        return bool(await self._client.execute("HSETNX", self._key, account.localpart, _encode(account)))

    async def replace(self, before: Account, account: Account) -> bool:
        """Store it if `before` is what is stored."""
        records = _encode(before), _encode(account)
        return bool(await self._client.execute("EVAL", REPLACE, 1, self._key, account.localpart, *records))

    async def delete(self, localpart: str) -> None:
        """Remove the account and everything that is stored for it."""
        self._archives.write()  # otherwise it would come later
        keys, domain = self._keys, self._domain
        own = keys.sessions_of(domain, localpart), keys.pubsub(domain, localpart), *keys.of_account(domain, localpart)
        names = keys.sessions(domain), *own, *keys.by_account(domain)
        of_nodes = keys.pubsub_items(domain, localpart, ""), keys.pubsub_order(domain, localpart, "")
        about = localpart, keys.session(domain, ""), len(own), *of_nodes
        await self._client.execute("EVAL", _FORGET_ACCOUNT, len(names), *names, *about)

    async def is_seeded(self, localpart: str) -> bool:
        """Whether `seed` created it once."""
        return bool(await self._client.execute("HEXISTS", self._keys.seeded(self._domain), localpart))

    async def seed(self, account: Account, roster: Sequence[RosterItem]) -> None:
        """Create it and its roster, unless it exists or existed."""
        localpart = account.localpart
        names = self._key, self._keys.seeded(self._domain), self._keys.roster(self._domain, localpart)
        items = (part for item in roster for part in (str(item.jid), _encode(item)))
        await self._client.execute("EVAL", _SEED, len(names), *names, localpart, _encode(account), *items)

    async def count(self) -> int:
        """The number of accounts."""
        count: int = await self._client.execute("HLEN", self._key)
        return count

    async def names(self) -> list[str]:
        """All localparts, sorted."""
        return sorted(name.decode() for name in await read_hash(self._client, self._key))


class RedisRosters:
    """A `RosterStore`: one hash for each roster."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._keys = keys
        self._domain = domain

    async def load(self, localpart: str) -> dict[Jid, RosterItem]:
        """The whole roster."""
        found = await read_hash(self._client, self._keys.roster(self._domain, localpart))
        items = map(_roster_item, found.values())
        return {item.jid: item for item in items}

    async def put(self, localpart: str, item: RosterItem) -> None:
        """Store the contact."""
        key = self._keys.roster(self._domain, localpart)
        await self._client.execute("HSET", key, str(item.jid), _encode(item))

    async def remove(self, localpart: str, contact: Jid) -> None:
        """Remove the contact."""
        await self._client.execute("HDEL", self._keys.roster(self._domain, localpart), str(contact))


MAX_READS = 16
"""Documents that are read at the same time: a client may request a thousand large ones at once."""


class RedisDocuments:
    """A `DocumentStore`: one hash for each account."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._keys = keys
        self._domain = domain
        self._reads = DeferredSemaphore(MAX_READS)

    async def get(self, localpart: str, name: str) -> bytes | None:
        """The document, or None."""
        key = self._keys.documents(self._domain, localpart)
        value: bytes | None = await self._reads.run(self._client.execute, "HGET", key, name)
        return value

    async def several(self, localpart: str, names: Sequence[str]) -> list[bytes | None]:
        """The documents of these names."""
        if not names:  # of a server whose modules keep nothing; Redis would refuse the command
            return []
        key = self._keys.documents(self._domain, localpart)
        values: list[bytes | None] = await self._reads.run(self._client.execute, "HMGET", key, *names)
        return values

    async def put(self, localpart: str, name: str, document: bytes, limit: Limit | None = None) -> bool:
        """Store it unless that exceeds the limit; False then."""
        key = self._keys.documents(self._domain, localpart)
        if not document:
            await self._client.execute("HDEL", key, name)
        elif limit is None:
            await self._client.execute("HSET", key, name, document)
        else:
            script = "EVAL", _SET_BELOW_LIMIT, 1, key, name, document, limit.count, limit.size_bytes
            return bool(await self._client.execute(*script))
        return True


class RedisSecrets:
    """A `SecretStore`: one hash."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._key = keys.secrets(domain)

    async def get(self, name: str, new: bytes) -> bytes:
        """The secret of this name, which is `new` if there was none."""
        self._client.post("HSETNX", self._key, name, new)
        secret: bytes = await self._client.execute("HGET", self._key, name)
        return secret


def redis_store(client: RedisClient, keys: Keys, domain: str, turn: Turn) -> Store:
    """The storage of the domain in this Redis. Create it before the router is started: see `RetryingWriter`.

    `turn`: that of all writers to the client.
    """
    insistent = RetryingWriter(client)
    archives = RedisArchives(
        client, insistent, lambda name: (keys.archive_index(domain, name), keys.archive(domain, name)), turn
    )
    room_archives = RedisArchives(
        client, insistent, lambda name: (keys.room_archive_index(domain, name), keys.room_archive(domain, name)), turn
    )
    return Store(
        RedisAccounts(client, keys, domain, archives),
        RedisRosters(client, keys, domain),
        RedisOffline(client, keys, domain),
        RedisDocuments(client, keys, domain),
        archives,
        RedisSecrets(client, keys, domain),
        RedisTokens(client, keys, domain),
        RedisSessions(client, insistent, keys, domain),
        RedisPubsub(client, keys, domain),
        RedisRooms(client, insistent, keys, domain, room_archives),
        room_archives,
    )
