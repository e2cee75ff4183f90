"""What the SMS gateway stores across restarts: the port, and its implementations in memory and in Redis.

The gateway loads all of it once, at its start, and then only writes: nobody else changes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import msgspec

from cluster.protocols.smpp.concatenation import Part
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.pages import read_hash
from cluster.redisio.recent import RecentValues
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

T = TypeVar("T")


class Submission(msgspec.Struct, frozen=True):
    """A message of XMPP that the message centre has not accepted yet."""

    stanza: Stanza
    source: str
    reference: int
    """The user_message_reference of its first short message: the same when it is sent again."""
    key: str = ""
    """The key by which a repetition of the stanza is recognised; empty if it cannot be."""


class Awaited(msgspec.Struct, frozen=True):
    """A message that the message centre has, and whose delivery receipts are awaited."""

    stanza: Stanza
    message_ids: tuple[str, ...]
    """As far as they are known; one for each short message."""
    total: int
    delivered: tuple[str, ...] = ()


class Piece(msgspec.Struct, frozen=True):
    """A part of a long message from a phone, until it is joined."""

    source: str
    destination: str
    data_coding: int
    part: Part


class Table(Protocol[T]):
    """Values of one type, by name. Writes take effect in the order of the calls, also without waiting."""

    async def put(self, name: str, value: T) -> None: ...
    async def delete(self, *names: str) -> None: ...
    async def load(self) -> dict[str, T]:
        """All values, sorted by name."""


class Done(Protocol):
    """Keys of finished messages; each is forgotten after KEPT_S at the earliest."""

    async def note(self, key: str) -> None: ...
    async def knows(self, key: str) -> bool: ...


KEPT_S = 3_600
"""A server that crashed sends a message again when it is back."""


@dataclass(frozen=True)
class SmsStore:
    """Everything that one gateway stores."""

    numbers: Table[str]
    """The phone number of each registered user, by bare JID."""
    correspondents: Table[Jid]
    """The last user who wrote, by `<phone> <number that the phone saw>`."""
    submissions: Table[Submission]
    awaited: Table[Awaited]
    pieces: Table[Piece]
    done: Done


class MemoryTable(Generic[T]):
    """A `Table` in memory."""

    def __init__(self) -> None:
        self._values: dict[str, T] = {}

    async def put(self, name: str, value: T) -> None:
        """Store the value."""
        self._values[name] = value

    async def delete(self, *names: str) -> None:
        """Remove the values."""
        for name in names:
            self._values.pop(name, None)

    async def load(self) -> dict[str, T]:
        """All values."""
        return dict(sorted(self._values.items()))


class MemoryDone:
    """A `Done` in memory."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    async def note(self, key: str) -> None:
        """Store the key."""
        self._keys.add(key)

    async def knows(self, key: str) -> bool:
        """Whether the key is stored."""
        return key in self._keys


class RedisTable(Generic[T]):
    """A `Table` that is a hash in Redis. Fails with ConnectionLost while Redis is away."""

    def __init__(self, client: RedisClient, key: str, type: type[T]) -> None:
        self._client = client
        self._key = key
        self._decode = msgspec.msgpack.Decoder(type).decode

    async def put(self, name: str, value: T) -> None:
        """Store the value."""
        await self._client.execute("HSET", self._key, name, msgspec.msgpack.encode(value))

    async def delete(self, *names: str) -> None:
        """Remove the values."""
        await self._client.execute("HDEL", self._key, *names)

    async def load(self) -> dict[str, T]:
        """All values."""
        found = await read_hash(self._client, self._key)
        return {name.decode(): self._decode(value) for name, value in sorted(found.items())}


class RedisDone:
    """A `Done` in Redis. Fails with ConnectionLost while Redis is away."""

    def __init__(self, client: RedisClient, key: str, now_utc_s: Callable[[], float]) -> None:
        self._keys = RecentValues(client, key, KEPT_S, now_utc_s)

    async def note(self, key: str) -> None:
        """Store the key."""
        await self._keys.put(key, b"")

    async def knows(self, key: str) -> bool:
        """Whether the key is stored."""
        return await self._keys.get(key) is not None


def memory_sms_store() -> SmsStore:
    """An empty store in memory."""
    return SmsStore(MemoryTable(), MemoryTable(), MemoryTable(), MemoryTable(), MemoryTable(), MemoryDone())


def redis_sms_store(client: RedisClient, keys: Keys, domain: str, now_utc_s: Callable[[], float]) -> SmsStore:
    """The store of the gateway of this domain in this Redis."""
    return SmsStore(
        RedisTable(client, keys.gateway(domain, "numbers"), str),
        RedisTable(client, keys.gateway(domain, "correspondents"), Jid),
        RedisTable(client, keys.gateway(domain, "submissions"), Submission),
        RedisTable(client, keys.gateway(domain, "awaited"), Awaited),
        RedisTable(client, keys.gateway(domain, "pieces"), Piece),
        RedisDone(client, keys.gateway(domain, "done"), now_utc_s),
    )
