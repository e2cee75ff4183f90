"""The resumable sessions in Redis: three hashes, and commands that may be repeated without harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from twisted.internet.defer import Deferred, gatherResults

from cluster.base.storage import StorageRefused
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.pages import read_hash
from cluster.redisio.protocol import Command, Reply
from cluster.redisio.retrying_writer import RetryingWriter
from cluster.store.former_sessions import read_record
from cluster.store.session import KeptSession, SentStanza, SessionChange, SessionRecord
from cluster.xmpp.jid import Jid


class _Progress(msgspec.Struct, frozen=True, array_like=True):
    handled: int
    acknowledged: int


_encode = msgspec.msgpack.Encoder().encode
_progress = msgspec.msgpack.Decoder(_Progress).decode
_jid = msgspec.msgpack.Decoder(Jid).decode
_sent = msgspec.msgpack.Decoder(SentStanza).decode


_DIRECTED = b"to "
"""The beginning of fields for receivers of directed presence; the other fields are the numbers of stanzas."""


class RedisSessions:
    """A `SessionStore`."""

    def __init__(self, client: RedisClient, insistent: RetryingWriter, keys: Keys, domain: str) -> None:
        self._client = client
        self._insistent = insistent
        self._keys = keys
        self._domain = domain

    def note(self, changes: Sequence[SessionChange]) -> Deferred[None]:
        """Store the changes: one command for each session that was sent something, and one for the counts of all."""
        return self._insistent.write([*self._commands(changes)]).addCallback(_kept)

    def _commands(self, changes: Sequence[SessionChange]) -> Iterator[Command]:
        for change in changes:
            if change.sent:
                key = self._keys.session(self._domain, change.id)
                yield "HSET", key, *(part for each in change.sent for part in (each.number, _encode(each)))
        for change in changes:
            if change.record is not None:
                key = self._keys.sessions_of(self._domain, change.localpart)
                yield "HSET", key, change.id, _encode(change.record)
            if change.directed:
                key = self._keys.session(self._domain, change.id)
                yield "HSET", key, *(part for jid in sorted(change.directed) for part in (_field(jid), _encode(jid)))
            if change.undirected:
                yield "HDEL", self._keys.session(self._domain, change.id), *map(_field, sorted(change.undirected))
            if change.forgotten:
                yield "HDEL", self._keys.session(self._domain, change.id), *change.forgotten
        counts: list[str | bytes] = []
        for change in changes:
            counts += change.id, _encode(_Progress(change.handled, change.acknowledged))
        yield "HSET", self._keys.sessions(self._domain), *counts

    async def load(self, localpart: str) -> list[KeptSession]:
        """All sessions of an account."""
        records = await read_hash(self._client, self._keys.sessions_of(self._domain, localpart))
        loaded = [self._load(id.decode(), read_record(value)) for id, value in records.items()]
        sessions: list[KeptSession] = await gatherResults([Deferred.fromCoroutine(each) for each in loaded])
        return sessions

    async def _load(self, id: str, record: SessionRecord) -> KeptSession:
        fields = await read_hash(self._client, self._keys.session(self._domain, id))
        value = await self._client.execute("HGET", self._keys.sessions(self._domain), id)
        progress = _Progress(0, 0) if value is None else _progress(value)
        directed = frozenset(_jid(value) for name, value in fields.items() if name.startswith(_DIRECTED))
        stanzas = [_sent(value) for name, value in fields.items() if not name.startswith(_DIRECTED)]
        sent = tuple(sorted(stanzas, key=lambda each: each.number))
        return KeptSession(record, progress.handled, progress.acknowledged, sent, directed)

    def delete(self, localpart: str, id: str) -> Deferred[None]:
        """Remove a session."""
        keys, domain = self._keys, self._domain
        return self._insistent.write(
            [
                ("HDEL", keys.sessions_of(domain, localpart), id),
                ("DEL", keys.session(domain, id)),
                ("HDEL", keys.sessions(domain), id),
            ]
        )


def _kept(reply: Reply) -> None:
    if reply is None:  # see `RetryingWriter.write`
        raise StorageRefused("Redis refuses what is to be kept of sessions")


def _field(jid: Jid) -> bytes:
    return _DIRECTED + str(jid).encode()
