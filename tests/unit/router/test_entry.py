"""The bytes of an entry: what many get crosses once, and comes out as it was sent."""

from __future__ import annotations

import msgspec
import pytest

from cluster.router import entry
from cluster.xmpp.copies import Copies
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import CARRIED
from cluster.xmpp.stanza import Stanza, addressed, make

ROOM = Jid.parse("verona@conference.montague.lit/romeo")
RECEIVERS = [Jid.parse(f'juliet{number}@capulet.lit/it\'s & "more"') for number in range(40)]


def said(text: str, *, id: str = "m1", from_: Jid = ROOM) -> Stanza:
    body = Element("{jabber:client}body")
    body.text = text
    return make("message", from_=from_, id=id, type="groupchat", payload=[body])


def bundle(stanza: Stanza, receivers: dict[int, list[Jid]]) -> bytes:
    """An entry as another implementation may write it."""
    return msgspec.msgpack.encode({"stanzas": [stanza], "receivers": receivers})


def test_what_many_get_crosses_once() -> None:
    copies = Copies(said("But, soft! " * 30), RECEIVERS)
    encoded = entry.encode([copies])
    assert encoded.count(b"But, soft!") == 30
    assert len(encoded) < len(msgspec.msgpack.encode([*copies.each()])) / 5
    assert entry.decode(encoded) == [copies]


def test_the_copies_differ_in_their_receivers_only() -> None:
    stanza = said("one")
    assert [*Copies(stanza, RECEIVERS).each()] == [addressed(stanza, receiver) for receiver in RECEIVERS]
    assert [each.tree.get("to") for each in Copies(stanza, RECEIVERS).each()] == [*map(str, RECEIVERS)]


def test_all_stay_in_their_places() -> None:
    one, two = said("one"), said("two", id="m2")
    items = [
        Copies(one, RECEIVERS[:3]), addressed(one, RECEIVERS[5]), Copies(two, RECEIVERS[:2]),
        make("iq", from_=ROOM, to=RECEIVERS[0], id="q", type="get"), Copies(said("x", id="m3"), RECEIVERS[:1]),
    ]  # fmt: skip
    assert entry.decode(entry.encode(items)) == items


def test_an_entry_without_copies_is_a_plain_list() -> None:
    stanzas = [said("one"), said("two")]
    assert entry.encode(stanzas) == msgspec.msgpack.encode(stanzas)
    assert entry.decode(msgspec.msgpack.encode(stanzas)) == stanzas
    assert entry.decode(entry.encode([])) == []


def test_a_few_bytes_cannot_become_many() -> None:
    """The other side may write what it likes into its own link."""
    with pytest.raises(msgspec.DecodeError):
        entry.decode(bundle(said("x" * (CARRIED.max_bytes // 2)), {0: RECEIVERS * 100}))


@pytest.mark.parametrize("receivers", [{-1: RECEIVERS[:1]}, {1: RECEIVERS[:1]}, {0: []}])
def test_receivers_of_no_stanza_and_no_receivers(receivers: dict[int, list[Jid]]) -> None:
    with pytest.raises(msgspec.DecodeError):
        entry.decode(bundle(said("one"), receivers))


@pytest.mark.parametrize("change", [{"raw": b"<message to='x'/>"}, {"from_": None}])
def test_a_stanza_without_a_place_for_the_address_is_not_copied(change: dict[str, object]) -> None:
    with pytest.raises(msgspec.DecodeError):
        entry.decode(bundle(msgspec.structs.replace(said("one"), **change), {0: RECEIVERS[:1]}))


@pytest.mark.parametrize("bad", [{"stanzas": 1, "receivers": {}}, {"montague.lit/s1-2": "1-1"}, 7])
def test_what_is_no_entry(bad: object) -> None:
    with pytest.raises(msgspec.DecodeError):
        entry.decode(msgspec.msgpack.encode(bad))
