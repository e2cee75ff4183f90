"""The bytes of an entry of a link: its stanzas in order. What many receivers get crosses once, with their addresses.

A room, a publisher and presence write the same to many: only `to` differs, which follows the `from` in each
(`stanza.addressed`). Of such copies in a row an entry has the first one, and of the others the receivers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from cluster.router.batch import MAX_BATCH_BYTES
from cluster.xmpp.jid import Jid, is_address
from cluster.xmpp.limits import CARRIED
from cluster.xmpp.stanza import Stanza, opening, to_attribute

MAX_COPIES_BYTES = MAX_BATCH_BYTES + CARRIED.max_bytes
"""Of the stanzas of an entry, each with its own bytes: a sender counts so too, and a few addresses cannot be more."""


class _Bundle(msgspec.Struct):
    """An entry in which some stanzas are for several."""

    stanzas: list[Stanza]
    others: dict[int, list[Jid]]
    """The further receivers, by the number of the stanza."""


class Copied(list[Stanza]):
    """All stanzas of an entry of which some came as receivers only, all of them addresses: if the bytes that came are
    whole elements, all are."""

    def __init__(self, stanzas: list[Stanza], firsts: Sequence[Stanza]) -> None:
        super().__init__(stanzas)
        self.firsts = firsts
        """Those whose bytes came."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Stanza] | _Bundle).decode


def encode(stanzas: Sequence[Stanza]) -> bytes:
    """The entry with these stanzas."""
    firsts: list[Stanza] = []
    others: dict[int, list[Jid]] = {}
    first: Stanza | None = None
    begin = behind = b""
    for stanza in stanzas:
        # a copy shares these objects with the first one, which tells it from most other stanzas at once
        if first is not None and stanza.payloads is first.payloads and stanza.from_ is first.from_ and stanza.to:
            if not begin:
                begin, behind = _around(first)
            attribute, raw = to_attribute(stanza.to), stanza.raw
            if (
                behind
                and len(raw) == len(begin) + len(attribute) + len(behind)
                and raw.endswith(behind)
                and raw.startswith(attribute, len(begin))
                and raw.startswith(begin)  # with the same bytes, kind, id and type are the same
                and stanza.trace_id == first.trace_id
            ):
                others.setdefault(len(firsts) - 1, []).append(stanza.to)
                continue
        firsts.append(stanza)
        first, begin = stanza, b""
    return _encode(_Bundle(firsts, others) if others else firsts)


def decode(entry: bytes) -> list[Stanza]:
    """The stanzas of an entry. Raises msgspec.DecodeError."""
    found = _decode(entry)
    if not isinstance(found, _Bundle):
        return found
    stanzas = [*_copied(found)]
    are_addresses = all(is_address(to) for others in found.others.values() for to in others)
    return Copied(stanzas, found.stanzas) if are_addresses else stanzas


def _around(stanza: Stanza) -> tuple[bytes, bytes]:
    """What stands before and after the address of the receiver; nothing where it does not stand where `addressed` has
    it."""
    if stanza.from_ is None or stanza.to is None:
        return b"", b""
    begin, attribute = opening(stanza.kind, stanza.from_), to_attribute(stanza.to)
    if not (stanza.raw.startswith(begin) and stanza.raw.startswith(attribute, len(begin))):
        return begin, b""
    return begin, stanza.raw[len(begin) + len(attribute) :]


def _copied(bundle: _Bundle) -> Iterator[Stanza]:
    size_bytes = 0
    for number, first in enumerate(bundle.stanzas):
        yield first
        size_bytes += len(first.raw)
        others = bundle.others.get(number)
        if others is None:
            continue
        begin, behind = _around(first)
        size_bytes += len(others) * len(first.raw)
        if not behind or size_bytes > MAX_COPIES_BYTES:
            raise msgspec.DecodeError("a stanza cannot be copied, or too often")
        for to in others:
            raw = b"".join((begin, to_attribute(to), behind))
            yield Stanza(first.kind, to, first.from_, first.id, first.type, first.payloads, raw, first.trace_id)
