"""The rooms in Redis: a hash of their names, and one hash for each."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from twisted.internet.defer import Deferred

from cluster.base.storage import StorageRefused
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.pages import read_hash
from cluster.redisio.protocol import Command, Reply
from cluster.redisio.retrying_writer import RetryingWriter
from cluster.store.redis_archives import RedisArchives
from cluster.store.rooms import Affiliate, RoomChange, RoomRecord, RoomSettings, Subject
from cluster.xmpp.jid import Jid

_encode = msgspec.msgpack.Encoder().encode
_settings = msgspec.msgpack.Decoder(RoomSettings).decode
_subject = msgspec.msgpack.Decoder(Subject).decode
_affiliate = msgspec.msgpack.Decoder(tuple[Jid, Affiliate]).decode
_occupant = msgspec.msgpack.Decoder(tuple[Jid, str]).decode

_SETTINGS, _SUBJECT, _VCARD = b"settings", b"subject", b"vcard"
_AFFILIATE, _OCCUPANT = b"affiliate ", b"occupant "
"""Prefixes of the fields of one address."""


class RedisRooms:
    """A `RoomStore`."""

    def __init__(
        self, client: RedisClient, insistent: RetryingWriter, keys: Keys, domain: str, archives: RedisArchives
    ) -> None:
        self._archives = archives
        self._client = client
        self._insistent = insistent
        self._keys = keys
        self._domain = domain

    async def names(self) -> list[str]:
        """The localparts of all rooms, sorted."""
        return sorted(name.decode() for name in await read_hash(self._client, self._keys.rooms(self._domain)))

    async def load(self, room: str) -> RoomRecord | None:
        """The stored state of a room, None if there is none."""
        fields = await read_hash(self._client, self._keys.room(self._domain, room))
        if _SETTINGS not in fields:
            return None
        return RoomRecord(
            _settings(fields[_SETTINGS]),
            _subject(fields[_SUBJECT]) if _SUBJECT in fields else None,
            dict(_affiliate(value) for name, value in fields.items() if name.startswith(_AFFILIATE)),
            dict(_occupant(value) for name, value in fields.items() if name.startswith(_OCCUPANT)),
            fields.get(_VCARD, b""),
        )

    def note(self, change: RoomChange) -> Deferred[None]:
        """Store a change of a room."""
        return self._insistent.write([*self._commands(change)]).addCallback(_kept)

    def _commands(self, change: RoomChange) -> Iterator[Command]:
        key = self._keys.room(self._domain, change.room)
        fields = dict(_fields(change))
        if fields:
            yield "HSET", key, *(part for field in fields.items() for part in field)
        gone = [_field(_AFFILIATE, jid) for jid, affiliate in change.affiliates.items() if affiliate is None]
        gone += [_field(_OCCUPANT, jid) for jid in change.left]
        if gone:
            yield "HDEL", key, *gone
        if change.settings is not None:  # last: only whole rooms are listed
            yield "HSET", self._keys.rooms(self._domain), change.room, ""

    def delete(self, room: str) -> Deferred[None]:
        """Delete a room and its archive."""
        self._archives.write()  # buffered messages would be written after the deletion
        keys, domain = self._keys, self._domain
        names = keys.room(domain, room), keys.room_archive(domain, room), keys.room_archive_index(domain, room)
        return self._insistent.write([("HDEL", keys.rooms(domain), room), ("DEL", *names)]).addCallback(_kept)


def _fields(change: RoomChange) -> Iterator[tuple[bytes, bytes]]:
    if change.settings is not None:
        yield _SETTINGS, _encode(change.settings)
    if change.subject is not None:
        yield _SUBJECT, _encode(change.subject)
    if change.vcard is not None:
        yield _VCARD, change.vcard
    for jid, affiliate in change.affiliates.items():
        if affiliate is not None:
            yield _field(_AFFILIATE, jid), _encode((jid, affiliate))
    for jid, nick in change.entered.items():
        yield _field(_OCCUPANT, jid), _encode((jid, nick))


def _field(begin: bytes, jid: Jid) -> bytes:
    return begin + str(jid).encode()


def _kept(reply: Reply) -> None:
    if reply is None:  # see `RetryingWriter.write`
        raise StorageRefused("Redis refuses to store a room")
