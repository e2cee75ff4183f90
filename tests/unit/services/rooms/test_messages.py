"""What is said in a room: to all, to one, and the subject (XEP-0045 sections 7.4, 7.5 and 8.1)."""

from __future__ import annotations

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import MUC, OCCUPANT_ID, USER
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import DELAY, DELIVERY, STANZA_ID
from cluster.xmpp.stanza import make
from tests.client import Client, child
from tests.unit.services.rooms.play import BENVOLIO, JULIET, NURSE, ROMEO, VERONA, Play, lines


def test_all_get_it_with_the_id_of_its_sender_and_one_of_the_room(play: Play, romeo: Client, juliet: Client) -> None:
    play.say(juliet, f"<message to='{VERONA}' type='groupchat' id='m1' xml:lang='it'><body>ciao</body></message>")
    [to_romeo], [to_juliet] = romeo.stanzas, juliet.stanzas
    for stanza, to in ((to_romeo, ROMEO), (to_juliet, JULIET)):
        assert dict(stanza.attrib) == {
            "from": f"{VERONA}/juliet", "to": to, "type": "groupchat", "id": "m1",
            "{http://www.w3.org/XML/1998/namespace}lang": "it",
        }  # fmt: skip
        assert child(stanza, "stanza-id", STANZA_ID).get("by") == VERONA
    ids = [child(each, "stanza-id", STANZA_ID).get("id") for each in (to_romeo, to_juliet)]
    assert ids[0] == ids[1]


def test_a_message_without_an_id_gets_one_for_all(play: Play, romeo: Client, juliet: Client) -> None:
    play.say(juliet, f"<message to='{VERONA}' type='groupchat'><body>hm</body></message>")
    assert romeo.stanzas[0].get("id") == juliet.stanzas[0].get("id") is not None


@pytest.mark.parametrize("sender", ["romeo", "juliet"])
def test_nobody_speaks_for_the_room(play: Play, romeo: Client, juliet: Client, sender: str) -> None:
    """XEP-0359 section 6, XEP-0045 section 17.3; what others have marked stays."""
    client = {"romeo": romeo, "juliet": juliet}[sender]
    forged = (
        f"<stanza-id xmlns='{STANZA_ID}' by='{VERONA}' id='forged'/>"
        f"<stanza-id xmlns='{STANZA_ID}' by='elsewhere@example.org' id='theirs'/>"
        f"<x xmlns='{USER}'><item affiliation='owner'/></x><origin-id xmlns='{STANZA_ID}' id='own'/>"
        f"<delay xmlns='{DELAY}' from='{VERONA}' stamp='2001-01-01T00:00:00Z'/>"
        f"<delay xmlns='{DELAY}' from='{ROMEO}' stamp='2002-01-01T00:00:00Z'/>"
    )
    play.say(client, f"<message to='{VERONA}' type='groupchat'>{forged}<body>hello</body></message>")
    [stanza] = romeo.stanzas
    by = {each.get("by"): each.get("id") for each in stanza.findall(f"{{{STANZA_ID}}}stanza-id")}
    assert by.pop("elsewhere@example.org") == "theirs"
    assert [*by] == [VERONA]
    assert by[VERONA] != "forged"
    assert child(stanza, "origin-id", STANZA_ID).get("id") == "own"
    assert stanza.find(f"{{{USER}}}x") is None
    assert child(stanza, "delay", DELAY).get("from") == ROMEO  # what was said before, in a chat of two (section 7.9)


@pytest.mark.parametrize(
    "tag",
    [
        "<message to='{to}' type=\"groupchat\" id=\"a to='b' from='c'\">",
        "<message\n\ttype='groupchat'\n to = '{to}' id='1'>",
        "<message xmlns:to='urn:x' to:to='nowhere' to='{to}' type='groupchat' id='1' >",
    ],
)
def test_however_the_tag_is_written(play: Play, romeo: Client, juliet: Client, tag: str) -> None:
    play.say(juliet, f"{tag.format(to=VERONA)}<body>so</body></message\n>")
    [stanza] = romeo.stanzas
    assert (stanza.get("from"), stanza.get("to")) == (f"{VERONA}/juliet", ROMEO)
    assert lines(romeo) == ["juliet: so"]
    assert juliet.stanzas[0].get("id") in ("1", "a to='b' from='c'")


def test_all_have_one_order(play: Play, romeo: Client, juliet: Client) -> None:
    for number in range(20):
        client = (romeo, juliet)[number % 2]
        client.send(f"<message to='{VERONA}' type='groupchat'><body>{number}</body></message>")
    play.network.advance(1)
    heard = lines(romeo)
    assert len(heard) == 20
    assert heard == lines(juliet)


def test_only_occupants_speak(play: Play, romeo: Client, juliet: Client) -> None:
    benvolio = play.online(BENVOLIO)
    play.speak(benvolio, "let me in")
    assert lines(benvolio) == ["message/error verona modify not-acceptable"]
    play.speak(benvolio, "hist", f"{VERONA}/romeo", "chat")
    assert lines(benvolio) == ["message/error romeo modify not-acceptable"]
    assert lines(romeo) == lines(juliet) == []


def test_a_room_that_is_not_there(play: Play) -> None:
    romeo = play.online(ROMEO)
    play.speak(romeo, "anybody")
    assert lines(romeo) == ["message/error verona cancel item-not-found"]
    play.enter(romeo, "romeo")
    play.speak(romeo, "locked")
    assert lines(romeo) == ["message/error verona cancel item-not-found"]


def test_visitors_have_no_voice(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, moderatedroom="1")
    nurse = play.online(NURSE)
    assert play.enter(nurse, "nurse")[2] == "presence nurse none visitor 110 170"
    play.speak(nurse, "my lady")
    assert lines(nurse) == ["message/error verona auth forbidden"]


# --- private messages


def test_a_private_message(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(juliet, "meet me", f"{VERONA}/romeo", "chat")
    [stanza] = romeo.stanzas
    assert (stanza.get("from"), stanza.get("to"), stanza.get("id")) == (f"{VERONA}/juliet", ROMEO, "meet me")
    assert child(stanza, "x", USER) is not None
    assert child(stanza, "occupant-id", OCCUPANT_ID).get("id")
    assert child(stanza, "stanza-id", STANZA_ID).get("by") == "romeo@montague.lit"  # of romeo's own archive
    assert lines(juliet) == []


def test_to_who_is_gone(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(juliet, "meet me", f"{VERONA}/mercutio", "chat")
    assert lines(juliet) == ["message/error mercutio cancel item-not-found"]


def test_a_private_message_is_not_of_type_groupchat(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(juliet, "hm", f"{VERONA}/romeo")
    assert lines(juliet) == ["message/error romeo modify bad-request"]


@pytest.mark.parametrize(("who", "allowed"), [("anyone", True), ("participants", True), ("moderators", False)])
def test_who_may_send_private_messages(play: Play, romeo: Client, juliet: Client, who: str, allowed: bool) -> None:
    play.configure(romeo, allowpm=who)
    play.silence(romeo, juliet)
    play.speak(juliet, "hist", f"{VERONA}/romeo", "chat")
    assert lines(romeo) == (["chat juliet: hist"] if allowed else [])
    assert lines(juliet) == ([] if allowed else ["message/error romeo auth forbidden"])


def test_a_private_message_that_comes_back_says_nothing_of_who_is_there(
    play: Play, romeo: Client, juliet: Client
) -> None:
    play.speak(romeo, "hist", f"{VERONA}/juliet", "chat")
    [got] = juliet.stanzas
    error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    x = f"<x xmlns='{USER}'/>"
    play.say(juliet, f"<message to='{got.get('from')}' type='error' id='{got.get('id')}'>{x}{error}</message>")
    assert lines(romeo) == ["message/error juliet cancel service-unavailable"]
    play.speak(romeo, "still here")
    assert lines(juliet)[-1] == "romeo: still here"


def test_an_error_is_no_way_around_what_private_messages_need(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, allowpm="none")
    play.silence(romeo, juliet)
    error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    x = f"<x xmlns='{USER}'/><body>hist</body>"
    play.say(juliet, f"<message to='{VERONA}/romeo' type='error' id='1'>{x}{error}</message>")
    assert lines(romeo) == []


# --- the subject


def test_the_subject(play: Play, romeo: Client, juliet: Client) -> None:
    play.say(romeo, f"<message to='{VERONA}' type='groupchat'><subject>love</subject></message>")
    assert lines(juliet) == lines(romeo) == ["romeo subject 'love'"]
    play.say(romeo, f"<message to='{VERONA}' type='groupchat'><subject>hm</subject><body>no</body></message>")
    assert lines(juliet) == ["romeo: no"]
    assert play.enter(juliet, "juliet")[-1] == "romeo subject 'love' (before)"
    play.say(romeo, f"<message to='{VERONA}' type='groupchat'><subject/></message>")
    assert lines(juliet) == ["romeo subject ''"]


def test_who_may_change_the_subject(play: Play, romeo: Client, juliet: Client) -> None:
    change = f"<message to='{VERONA}' type='groupchat'><subject>hate</subject></message>"
    play.say(juliet, change)
    assert lines(juliet) == ["message/error verona auth forbidden"]
    play.configure(romeo, changesubject="1")
    play.silence(romeo, juliet)
    play.say(juliet, change)
    assert lines(romeo) == ["juliet subject 'hate'"]


def test_the_mark_of_a_delivery_stays_in_its_domain(play: Play, romeo: Client, juliet: Client) -> None:
    """The marks of cluster/xmpp/stanza_id.py are between a server and its clients: a room hands none on."""
    prince = Jid.parse("hamlet@elsinore.lit/castle")
    for nick in ("hamlet", "prince"):
        x = [Element(f"{{{MUC}}}x")]
        play.network.abroad.send(make("presence", from_=prince, to=Jid.parse(f"{VERONA}/{nick}"), payload=x))
    mark = f"<delivery xmlns='{DELIVERY}' id='x'/>"
    for client in (romeo, juliet):
        for what in ("<subject>feuds</subject>", "<body>hist</body>"):
            play.say(client, f"<message to='{VERONA}' type='groupchat'>{what}{mark}</message>")
    said = [each.raw for each in play.network.abroad.stanzas if each.kind == "message"]
    assert sum(b"feuds" in raw or b"hist" in raw for raw in said) >= 3
    assert not any(DELIVERY.encode() in raw for raw in said)


@pytest.mark.parametrize(
    "payload",
    [
        "<apply-to xmlns='urn:xmpp:fasten:0' id='m1'><external xmlns='urn:example:x' name='body'/></apply-to>",
        "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>x</reaction></reactions>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>",
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<x xmlns='jabber:x:conference' jid='padua@conference.montague.lit'/>",
    ],
)
def test_what_is_attached_to_a_message_passes(play: Play, romeo: Client, juliet: Client, payload: str) -> None:
    """Fastening (XEP-0422), reactions, markers, chat states and invitations are for clients; the room only reflects."""
    play.say(juliet, f"<message to='{VERONA}' type='groupchat' id='m2'>{payload}</message>")
    for client in (romeo, juliet):
        [got] = client.stanzas
        assert xml.serialize(got[0]) == xml.serialize(xml.parse(payload.encode()))
    assert len(play.enter(play.online(NURSE), "nurse")) == 4  # of no history
