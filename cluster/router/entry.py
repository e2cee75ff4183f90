"""The bytes of an entry of a link: its stanzas in order. What many receivers get crosses once, with their addresses."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cluster.router.batch import MAX_BATCH_BYTES
from cluster.xmpp.copies import Copies
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import CARRIED
from cluster.xmpp.stanza import Stanza, opening

MAX_COPIES_BYTES = MAX_BATCH_BYTES + CARRIED.max_bytes
"""Of the copies in an entry, each with its own bytes: a sender counts so too, and a few addresses cannot be more."""


class _Bundle(msgspec.Struct):
    """An entry in which some stanzas are for several."""

    stanzas: list[Stanza]
    receivers: dict[int, list[Jid]]
    """Of those, by the number of the stanza."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Stanza] | _Bundle).decode


def encode(items: Sequence[Stanza | Copies]) -> bytes:
    """The entry with these stanzas."""
    receivers = {number: item.receivers for number, item in enumerate(items) if isinstance(item, Copies)}
    if not receivers:
        return _encode(items)
    return _encode(_Bundle([item.stanza if isinstance(item, Copies) else item for item in items], receivers))


def decode(entry: bytes) -> Sequence[Stanza | Copies]:
    """What is in an entry. Raises msgspec.DecodeError."""
    found = _decode(entry)
    if not isinstance(found, _Bundle):
        return found
    items: list[Stanza | Copies] = [*found.stanzas]
    size_bytes = 0
    for number, receivers in found.receivers.items():
        if not 0 <= number < len(items) or not receivers:
            raise msgspec.DecodeError("receivers without a stanza, or none")
        stanza = found.stanzas[number]
        size_bytes += len(stanza.raw) * len(receivers)
        has_place = stanza.from_ is not None and stanza.raw.startswith(opening(stanza.kind, stanza.from_))
        if not has_place or size_bytes > MAX_COPIES_BYTES:
            raise msgspec.DecodeError("a stanza cannot be copied, or too often")
        items[number] = Copies(stanza, receivers)
    return items
