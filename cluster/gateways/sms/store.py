"""What the SMS gateway remembers over a restart: the port, and its implementations in memory and in Redis.

The gateway reads all of it once, when it starts, and then only writes: it is the one who changes it.
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
    """A message of XMPP that the message centre has not taken yet."""

    stanza: Stanza
    source: str
    reference: int
    """The user_message_reference of its first short message: the same when it is sent again."""
    key: str = ""
    """By which the stanza is known when it comes again; empty where it would not be."""


class Awaited(msgspec.Struct, frozen=True):
    """A message that the message centre has, and whose delivery receipts are to come."""

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
    """Things of one kind, by name. Writes take effect in the order of the calls, also when nobody waits."""

    async def put(self, name: str, value: T) -> None: ...
    async def delete(self, *names: str) -> None: ...
    async def load(self) -> dict[str, T]:
        """All of them, sorted by name."""


class Done(Protocol):
    """Messages that are done with, by their keys; forgotten by itself after KEPT_S at the earliest."""

    async def note(self, key: str) -> None: ...
    async def knows(self, key: str) -> bool: ...


KEPT_S = 3_600
"""A server that crashed sends a message again when it is back."""


@dataclass(frozen=True)
class SmsStore:
    """Everything that one gateway remembers."""

    numbers: Table[str]
    """The phone number of each registered user, by bare JID."""
    correspondents: Table[Jid]
    """Who wrote last, by `<phone> <number that the phone saw>`."""
    submissions: Table[Submission]
    awaited: Table[Awaited]
    pieces: Table[Piece]
    done: Done


class MemoryTable(Generic[T]):
    """A `Table` that is forgotten with its process."""

    def __init__(self) -> None:
        self._values: dict[str, T] = {}

    async def put(self, name: str, value: T) -> None:
        """Keep it."""
        self._values[name] = value

    async def delete(self, *names: str) -> None:
        """Forget them."""
        for name in names:
            self._values.pop(name, None)

    async def load(self) -> dict[str, T]:
        """All of them."""
        return dict(sorted(self._values.items()))


class MemoryDone:
    """A `Done` that is forgotten with its process."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    async def note(self, key: str) -> None:
        """Remember it."""
        self._keys.add(key)

    async def knows(self, key: str) -> bool:
        """Whether it was noted."""
        return key in self._keys


class RedisTable(Generic[T]):
    """A `Table` that is a hash. Fails with ConnectionLost while Redis is away."""

    def __init__(self, client: RedisClient, key: str, type: type[T]) -> None:
        self._client = client
        self._key = key
        self._decode = msgspec.msgpack.Decoder(type).decode

    async def put(self, name: str, value: T) -> None:
        """Keep it."""
        await self._client.execute("HSET", self._key, name, msgspec.msgpack.encode(value))

    async def delete(self, *names: str) -> None:
        """Forget them."""
        await self._client.execute("HDEL", self._key, *names)

    async def load(self) -> dict[str, T]:
        """All of them."""
        found = await read_hash(self._client, self._key)
        return {name.decode(): self._decode(value) for name, value in sorted(found.items())}


class RedisDone:
    """A `Done`. Fails with ConnectionLost while Redis is away."""

    def __init__(self, client: RedisClient, key: str, now_utc_s: Callable[[], float]) -> None:
        self._keys = RecentValues(client, key, KEPT_S, now_utc_s)

    async def note(self, key: str) -> None:
        """Remember it."""
        await self._keys.put(key, b"")

    async def knows(self, key: str) -> bool:
        """Whether it was noted."""
        return await self._keys.get(key) is not None


def memory_sms_store() -> SmsStore:
    """An empty one."""
    return SmsStore(MemoryTable(), MemoryTable(), MemoryTable(), MemoryTable(), MemoryTable(), MemoryDone())


def redis_sms_store(client: RedisClient, keys: Keys, domain: str, now_utc_s: Callable[[], float]) -> SmsStore:
    """What the gateway of this domain remembers in this Redis."""
    return SmsStore(
        RedisTable(client, keys.gateway(domain, "numbers"), str),
        RedisTable(client, keys.gateway(domain, "correspondents"), Jid),
        RedisTable(client, keys.gateway(domain, "submissions"), Submission),
        RedisTable(client, keys.gateway(domain, "awaited"), Awaited),
        RedisTable(client, keys.gateway(domain, "pieces"), Piece),
        RedisDone(client, keys.gateway(domain, "done"), now_utc_s),
    )
