"""The journal in Redis, as commands read it (outside of any reactor, with redis-py)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import redis

from cluster.redisio.keys import Keys
from cluster.trace.hop import Hop
from cluster.trace.redis import FIELD, MAX_ENTRIES

_PAGE = 100
"""Entries of one reply, of some 64 KiB at the most."""
_WAIT_MS = 1_000
"""How long one read blocks: Redis clients time out after longer pauses, and Ctrl-C is noticed in between."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Hop]).decode


class JournalReader:
    """Reads a lab's hops, and writes those of the command itself (a probe's ends)."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        """`client` may read the journal; it does not decode replies."""
        self._client: Any = client  # its types say that each command may be asynchronous
        self._key = keys.journal

    def append(self, hop: Hop) -> None:
        """Write one hop, as a `Journal`; it is stored when this returns."""
        self._client.xadd(self._key, {FIELD: _encode([hop])}, maxlen=MAX_ENTRIES, approximate=True)

    def read(self, trace_ids: Collection[str], position: bytes = b"0") -> list[Hop]:
        """The hops so far of these stanzas, after this position, in the order of their times."""
        found = (hop for _, hops in self.after(position) for hop in hops if hop.trace_id in trace_ids)
        return sorted(found, key=lambda hop: hop.at_utc_ns)

    def newest(self) -> bytes:
        """The current end of the journal; for `after`."""
        entries = self._client.xrevrange(self._key, count=1)
        return bytes(entries[0][0]) if entries else b"0"

    def newest_first(self) -> Iterator[list[Hop]]:
        """What is in the journal, an entry at a time."""
        end = b"+"
        while page := self._client.xrevrange(self._key, end, b"-", count=_PAGE):
            for _, fields in page:
                yield _hops(fields)
            end = b"(" + page[-1][0]

    def after(self, position: bytes) -> Iterator[tuple[bytes, list[Hop]]]:
        """The entries after this position, oldest first, each with its position."""
        while page := self._client.xrange(self._key, b"(" + position, b"+", count=_PAGE):
            for id, fields in page:
                yield id, _hops(fields)
            position = page[-1][0]

    def follow(self) -> Iterator[list[Hop]]:
        """The hops from this call on, as they are written, and an empty list if none comes within a second. Endless."""
        return self._follow_after(self.newest())

    def _follow_after(self, last: bytes) -> Iterator[list[Hop]]:
        while True:
            # only to wait: the form of its reply depends on the protocol
            self._client.xread({self._key: last}, count=1, block=_WAIT_MS)
            came = False
            for id, hops in self.after(last):
                last, came = id, True
                yield hops
            if not came:
                yield []


def _hops(fields: dict[bytes, bytes]) -> list[Hop]:
    """The hops of an entry; none for an invalid one, since every server may append to the journal."""
    try:
        return _decode(fields[FIELD.encode()])
    except (KeyError, msgspec.DecodeError):
        return []
