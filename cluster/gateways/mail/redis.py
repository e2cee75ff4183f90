"""A spool and a ledger in Redis. They fail with ConnectionLost while Redis is away."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cluster.protocols.smtp.port import KEPT_S, Mail, Record
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.pages import read_hash
from cluster.redisio.recent import RecentValues

_encode = msgspec.msgpack.Encoder().encode
_mail = msgspec.msgpack.Decoder(Mail).decode
_record: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


class RedisSpool:
    """The `Spool` of a gateway: one hash."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        """`domain`: of the gateway."""
        self._client = client
        self._key = keys.gateway(domain, "spool")

    async def put(self, mail: Mail) -> None:
        """Store the mail."""
        await self._client.execute("HSET", self._key, mail.id, _encode(mail))

    async def drop(self, id: str) -> None:
        """Remove the mail."""
        await self._client.execute("HDEL", self._key, id)

    async def load(self) -> list[Mail]:
        """All stored mails."""
        found = await read_hash(self._client, self._key)
        return sorted(map(_mail, found.values()), key=lambda mail: mail.accepted_utc_s)


class RedisLedger:
    """The `Ledger` of a gateway."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str, now_utc_s: Callable[[], float]) -> None:
        """`domain`: of the gateway."""
        self._records = RecentValues(client, keys.gateway(domain, "ledger"), int(KEPT_S), now_utc_s)

    async def note(self, key: str, record: Record) -> None:
        """Store what is known of a mail."""
        await self._records.put(key, _encode(record))

    async def find(self, key: str) -> Record | None:
        """What is stored of a mail."""
        value = await self._records.get(key)
        return None if value is None else _record.decode(value)
