"""The bytes of an entry: what many get crosses once, and comes out as it was sent."""

from __future__ import annotations

import msgspec
import pytest

from cluster.router import entry
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


def copies(stanza: Stanza, receivers: list[Jid] = RECEIVERS) -> list[Stanza]:
    return [addressed(stanza, receiver) for receiver in receivers]


def test_what_many_get_crosses_once() -> None:
    stanzas = copies(said("But, soft! " * 30))
    encoded = entry.encode(stanzas)
    assert encoded.count(b"But, soft!") == 30
    assert len(encoded) < len(msgspec.msgpack.encode(stanzas)) / 5
    assert entry.decode(encoded) == stanzas


def test_other_stanzas_stay_in_their_places() -> None:
    one, two = said("one"), said("two", id="m2")
    stanzas = [
        *copies(one, RECEIVERS[:3]), *copies(two, RECEIVERS[:2]), addressed(one, RECEIVERS[5]),
        make("iq", from_=ROOM, to=RECEIVERS[0], id="q", type="get"), *copies(said("x", id="m3"), RECEIVERS[:1]),
    ]  # fmt: skip
    assert entry.decode(entry.encode(stanzas)) == stanzas


def test_what_only_looks_like_a_copy_is_none() -> None:
    stanza = said("one")
    other = msgspec.structs.replace(addressed(stanza, RECEIVERS[1]), trace_id="t")
    changed = msgspec.structs.replace(
        addressed(stanza, RECEIVERS[2]), raw=addressed(stanza, RECEIVERS[2]).raw.replace(b"one", b"two")
    )
    swapped = make("message", to=RECEIVERS[3], from_=ROOM, id="m1", type="groupchat")
    stanzas = [addressed(stanza, RECEIVERS[0]), other, changed, swapped, swapped]
    assert entry.decode(entry.encode(stanzas)) == stanzas


def test_an_entry_without_copies_is_a_plain_list() -> None:
    stanzas = [said("one"), said("two")]
    assert entry.encode(stanzas) == msgspec.msgpack.encode(stanzas)
    assert entry.decode(msgspec.msgpack.encode(stanzas)) == stanzas
    assert entry.decode(entry.encode([])) == []


def test_it_is_known_whose_bytes_came() -> None:
    stanzas = [*copies(said("one"), RECEIVERS[:3]), addressed(said("two", id="m2"), RECEIVERS[0])]
    found = entry.decode(entry.encode(stanzas))
    assert isinstance(found, entry.Copied)
    assert found.firsts == [stanzas[0], stanzas[3]]


def test_a_receiver_that_is_no_address() -> None:
    """Its copy might be no element, so all bytes are looked at."""
    bundle = {"stanzas": copies(said("one"), RECEIVERS[:1]), "others": {0: [Jid("juliet", "capulet.lit", "a\0")]}}
    assert not isinstance(entry.decode(msgspec.msgpack.encode(bundle)), entry.Copied)


def test_a_few_bytes_cannot_become_many() -> None:
    """The other side may write what it likes into its own link."""
    large = addressed(said("x" * (CARRIED.max_bytes // 2)), RECEIVERS[0])
    bundle = {"stanzas": [large], "others": {0: RECEIVERS * 100}}
    with pytest.raises(msgspec.DecodeError):
        entry.decode(msgspec.msgpack.encode(bundle))


def test_a_stanza_whose_addresses_stand_elsewhere_is_not_copied() -> None:
    stanza = addressed(said("one"), RECEIVERS[0])
    stanza = msgspec.structs.replace(stanza, raw=b"<message to='x'/>")
    with pytest.raises(msgspec.DecodeError):
        entry.decode(msgspec.msgpack.encode({"stanzas": [stanza], "others": {0: RECEIVERS[:1]}}))


@pytest.mark.parametrize("bad", [{"stanzas": 1, "others": {}}, {"montague.lit/s1-2": "1-1"}, 7])
def test_what_is_no_entry(bad: object) -> None:
    with pytest.raises(msgspec.DecodeError):
        entry.decode(msgspec.msgpack.encode(bad))
