"""What belongs to rooms: discovery, registration, invitations, archive, moderation, avatar, requests of occupants."""

from __future__ import annotations

import base64
import sys
from hashlib import sha1

import pytest

from cluster.host import disco
from cluster.host.disco import INFO, ITEMS
from cluster.services.rooms.exchange import Exchange
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import MODERATE, OCCUPANT_ID, RETRACT, USER
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.namespaces import CLIENT, FORWARD, MAM, REGISTER, STANZA_ID
from tests.client import Client, child
from tests.unit.services.rooms.play import BENVOLIO, JULIET, NURSE, ROMEO, SERVICE, VERONA, Play, lines
from tests.unit.services.rooms.test_configuration import values


@pytest.fixture
def play() -> Play:
    return Play()


@pytest.fixture
def romeo(play: Play) -> Client:
    romeo = play.online(ROMEO)
    play.create(romeo, "romeo", roomname="Fair Verona")
    return romeo


@pytest.fixture
def juliet(play: Play, romeo: Client) -> Client:
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.silence(romeo, juliet)
    return juliet


# --- discovery (section 6)


def info(play: Play, client: Client, to: str = VERONA, node: str = "") -> Element:
    return play.reply(client, "get", f"<query xmlns='{INFO}'{f' node={node!r}' if node else ''}/>", to)


def test_the_server_lists_the_service_and_the_service_its_rooms(play: Play, juliet: Client) -> None:
    def items(of: str) -> list[tuple[str | None, str | None]]:
        reply = play.reply(juliet, "get", f"<query xmlns='{ITEMS}'/>", of)
        return [(each.get("jid"), each.get("name")) for each in reply.iter(f"{{{ITEMS}}}item")]

    assert items("montague.lit") == [(SERVICE, None)]
    assert items(SERVICE) == [(VERONA, "Fair Verona (2)")]
    assert items(VERONA) == []


def test_many_rooms_are_listed_page_by_page(play: Play, romeo: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """XEP-0045 section 6.3, XEP-0059."""
    for number in range(4):
        play.create(romeo, "romeo", f"r{number}@{SERVICE}")

    def page(asked: str) -> tuple[list[str], str | None, str | None]:
        reply = play.reply(romeo, "get", f"<query xmlns='{ITEMS}'>{asked}</query>", SERVICE)
        names = [(each.get("jid") or "").partition("@")[0] for each in reply.iter(f"{{{ITEMS}}}item")]
        counted, first = reply.find(f".//{{{RSM}}}count"), reply.find(f".//{{{RSM}}}first")
        return names, None if counted is None else counted.text, None if first is None else first.get("index")

    def paged(inner: str) -> tuple[list[str], str | None, str | None]:
        return page(f"<set xmlns='{RSM}'>{inner}</set>")

    assert page("") == (["verona", "r0", "r1", "r2", "r3"], None, None)
    assert paged("<max>2</max>") == (["verona", "r0"], "5", "0")
    assert paged(f"<max>2</max><after>r0@{SERVICE}</after>") == (["r1", "r2"], "5", "2")
    assert paged("<max>2</max><before/>") == (["r2", "r3"], "5", "3")
    assert paged("<max>0</max>") == ([], "5", None)
    assert paged("<after>nowhere</after>") == ([], None, None)  # item-not-found
    monkeypatch.setattr(disco, "MAX_LISTED", 3)
    assert page("") == (["verona", "r0", "r1"], "5", "0")


def test_hidden_and_locked_rooms_are_not_listed(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, publicroom="0")
    play.enter(juliet, "juliet", VERONA.replace("verona", "mantua"))
    reply = play.reply(juliet, "get", f"<query xmlns='{ITEMS}'/>", SERVICE)
    assert [*reply.iter(f"{{{ITEMS}}}item")] == []


def test_what_a_service_and_a_room_say_of_themselves(play: Play, romeo: Client, juliet: Client) -> None:
    service = info(play, juliet, SERVICE)
    identity = service[0].find(f"{{{INFO}}}identity")
    assert identity is not None
    assert (identity.get("category"), identity.get("type")) == ("conference", "text")
    features = {each.get("var") for each in service.iter(f"{{{INFO}}}feature")}
    assert {"http://jabber.org/protocol/muc", "http://jabber.org/protocol/muc#stable_id", OCCUPANT_ID} <= features
    play.configure(romeo, membersonly="1", roomdesc="streets", passwordprotectedroom="1", roomsecret="x")
    room = info(play, romeo)
    features = {each.get("var") for each in room.iter(f"{{{INFO}}}feature")}
    assert {
        "muc_membersonly", "muc_passwordprotected", "muc_public", "muc_temporary", "muc_unmoderated",
        "muc_semianonymous", "http://jabber.org/protocol/muc#self-ping-optimization", MAM, STANZA_ID, MODERATE,
    } <= features  # fmt: skip
    told = values(room)
    assert told["muc#roominfo_occupants"] == ["1"]
    assert told["muc#roominfo_description"] == ["streets"]


def test_rooms_and_nodes_that_are_not_there(play: Play, romeo: Client) -> None:
    assert info(play, romeo, f"mantua@{SERVICE}").get("type") == "error"
    assert info(play, romeo, VERONA, "http://jabber.org/protocol/muc#traffic").get("type") == "error"
    assert info(play, romeo, VERONA, "nowhere").get("type") == "error"


# --- registration (sections 7.10 and 7.12)


def register(nick: str) -> str:
    form_type = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>"
    field = f"<field var='muc#register_roomnick'><value>{nick}</value></field>"
    return f"<query xmlns='{REGISTER}'><x xmlns='jabber:x:data' type='submit'>{form_type}{field}</x></query>"


def test_registering_reserves_a_nickname(play: Play, romeo: Client, juliet: Client) -> None:
    nurse = play.online(NURSE)
    form = play.reply(nurse, "get", f"<query xmlns='{REGISTER}'/>")
    assert "muc#register_roomnick" in values(form)
    assert play.ask(nurse, "set", register("juliet")) == ["iq/error verona cancel conflict"]
    assert play.ask(nurse, "set", register("Angelica")) == ["iq/result"]
    assert play.ask(juliet, "set", register("angelica")) == ["iq/error verona cancel conflict"]
    [identity] = info(play, nurse, node="x-roomuser-item")[0]
    assert identity.get("name") == "Angelica"
    assert len(info(play, juliet, node="x-roomuser-item")[0]) == 0
    again = play.reply(nurse, "get", f"<query xmlns='{REGISTER}'/>")
    assert again[0].find(f"{{{REGISTER}}}registered") is not None
    assert play.enter(nurse, "Angelica")[2] == "presence Angelica member participant 110 170"
    play.silence(romeo)
    assert play.ask(nurse, "set", f"<query xmlns='{REGISTER}'><remove/></query>")[-1] == "iq/result"
    assert lines(romeo) == [f"presence Angelica none participant {NURSE}"]


def test_members_only_rooms_take_no_registrations(play: Play, romeo: Client) -> None:
    play.configure(romeo, membersonly="1")
    nurse = play.online(NURSE)
    assert play.ask(nurse, "get", f"<query xmlns='{REGISTER}'/>") == ["iq/error verona cancel not-allowed"]
    assert play.ask(nurse, "set", register("nurse")) == ["iq/error verona cancel not-allowed"]
    assert play.ask(nurse, "set", f"<query xmlns='{REGISTER}'/>") == ["iq/error verona cancel not-allowed"]


# --- invitations (section 7.8)


def invite(play: Play, client: Client, to: str, kind: str = "invite", reason: str = "come") -> None:
    x = f"<x xmlns='{USER}'><{kind} to='{to}'><reason>{reason}</reason></{kind}></x>"
    play.say(client, f"<message to='{VERONA}' id='i1'>{x}</message>")


def test_an_invitation_and_its_refusal(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, membersonly="0", passwordprotectedroom="1", roomsecret="wherefore")
    play.silence(juliet)
    nurse = play.online(NURSE)
    invite(play, juliet, NURSE.partition("/")[0])
    [stanza] = nurse.stanzas
    x = child(stanza, "x", USER)
    assert stanza.get("from") == VERONA
    assert child(x, "invite", USER).get("from") == f"{VERONA}/juliet"  # the room is semi-anonymous
    assert x.findtext(f"{{{USER}}}password") == "wherefore"
    invite(play, nurse, f"{VERONA}/juliet", "decline", "too busy")
    [stanza] = juliet.stanzas
    assert child(child(stanza, "x", USER), "decline", USER).get("from") == NURSE.partition("/")[0]


def test_a_room_is_no_way_around_a_block_list(play: Play, romeo: Client, juliet: Client) -> None:
    nurse = play.online(NURSE)
    invite(play, nurse, JULIET, "decline")
    assert lines(nurse) == ["message/error verona modify not-acceptable"]
    assert lines(juliet) == []
    invite(play, nurse, JULIET)
    assert lines(nurse) == ["message/error verona modify not-acceptable"]


def test_whom_a_member_invites_to_a_members_only_room_may_enter(play: Play, romeo: Client) -> None:
    play.configure(romeo, membersonly="1")
    nurse = play.online(NURSE)
    assert play.enter(nurse, "nurse") == ["presence/error nurse auth registration-required"]
    invite(play, romeo, NURSE.partition("/")[0])
    nurse.take()
    assert "presence nurse member participant 110 170" in play.enter(nurse, "nurse")
    invite(play, nurse, "montague.lit")  # which would make members of all its people
    assert lines(nurse)[-1] == "message/error verona modify not-acceptable"
    assert play.enter(play.online(BENVOLIO), "benvolio") == ["presence/error benvolio auth registration-required"]
    play.configure(romeo, allowinvites="0")
    play.silence(nurse)
    invite(play, nurse, BENVOLIO)
    assert lines(nurse) == ["message/error verona auth forbidden"]


# --- archive (XEP-0313) and moderation (XEP-0425)


def archived(play: Play, client: Client, query: str = "") -> list[Element]:
    """The messages of the archive."""
    client.take()
    play.say(client, f"<iq to='{VERONA}' type='set' id='mam'><query xmlns='{MAM}'>{query}</query></iq>")
    return [each[0] for each in client.stanzas if each.find(f"{{{MAM}}}result") is not None]


def test_the_archive_has_what_was_said_once_and_as_it_was(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(romeo, "good morrow")
    play.speak(juliet, "hist", f"{VERONA}/romeo", "chat")
    [live] = [each for each in juliet.stanzas if each.find(f"{{{CLIENT}}}body") is not None]
    [result] = archived(play, juliet)
    message = result.find(f"{{{FORWARD}}}forwarded/{{{CLIENT}}}message")
    assert message is not None
    assert result.get("id") == child(live, "stanza-id", STANZA_ID).get("id")
    assert (message.get("from"), message.get("to")) == (f"{VERONA}/romeo", None)
    assert message.findtext(f"{{{CLIENT}}}body") == "good morrow"
    assert child(message, "occupant-id", OCCUPANT_ID).get("id") == child(live, "occupant-id", OCCUPANT_ID).get("id")
    assert ROMEO not in str(message.attrib)


def test_who_may_not_enter_may_not_read(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(romeo, "secret")
    nurse = play.online(NURSE)
    assert len(archived(play, nurse)) == 1
    play.configure(romeo, membersonly="1")
    assert archived(play, nurse) == []
    assert lines(nurse) == ["iq/error verona auth forbidden"]
    play.configure(romeo, membersonly="0", passwordprotectedroom="1", roomsecret="x")
    assert archived(play, nurse) == []
    play.configure(romeo, passwordprotectedroom="0", enablelogging="0")
    assert archived(play, nurse) == []


def test_a_moderator_takes_back_what_somebody_said(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(juliet, "magic potions")
    id = child(romeo.stanzas[-1], "stanza-id", STANZA_ID).get("id")
    request = f"<moderate xmlns='{MODERATE}' id='{id}'><retract xmlns='{RETRACT}'/><reason>spam</reason></moderate>"
    assert play.ask(juliet, "set", request) == ["iq/error verona auth forbidden"]
    play.silence(juliet)
    assert "iq/result" in play.ask(romeo, "set", request)
    [told] = juliet.stanzas
    retract = child(told, "retract", RETRACT)
    assert told.get("from") == VERONA
    assert retract.get("id") == id
    assert child(retract, "moderated", MODERATE).get("by") == f"{VERONA}/romeo"
    tombstone, *_ = archived(play, juliet)
    message = tombstone.find(f"{{{FORWARD}}}forwarded/{{{CLIENT}}}message")
    assert message is not None
    assert message.find(f"{{{CLIENT}}}body") is None
    assert message.find(f"{{{RETRACT}}}retracted") is not None
    assert not any("potions" in each for each in play.enter(play.online(BENVOLIO), "benvolio"))
    assert play.ask(romeo, "set", request.replace(str(id), "none")) == ["iq/error verona cancel item-not-found"]


# --- avatar


def test_the_avatar_of_a_room(play: Play, romeo: Client, juliet: Client) -> None:
    photo = base64.b64encode(b"a picture").decode()
    vcard = f"<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>{photo}</BINVAL></PHOTO></vCard>"
    assert play.ask(juliet, "set", vcard) == ["iq/error verona auth forbidden"]
    assert "iq/result" in play.ask(romeo, "set", vcard)
    hash = sha1(b"a picture").hexdigest()
    [presence] = [each for each in juliet.stanzas if each.tag == f"{{{CLIENT}}}presence"]
    assert presence.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo") == hash
    got = play.reply(juliet, "get", "<vCard xmlns='vcard-temp'/>")
    assert got.findtext("{vcard-temp}vCard/{vcard-temp}PHOTO/{vcard-temp}BINVAL") == photo
    assert values(info(play, juliet))["muc#roominfo_avatarhash"] == [hash]


# --- requests of occupants


def test_a_ping_of_oneself_says_whether_one_is_in_the_room(play: Play, romeo: Client, juliet: Client) -> None:
    """XEP-0410."""
    ping = "<ping xmlns='urn:xmpp:ping'/>"
    assert play.ask(juliet, "get", ping, f"{VERONA}/juliet") == ["iq/result"]
    play.say(juliet, f"<presence to='{VERONA}/juliet' type='unavailable'/>")
    assert play.ask(juliet, "get", ping, f"{VERONA}/juliet") == ["iq/error juliet cancel not-acceptable"]


def test_a_request_goes_to_the_other_and_back_and_tells_no_address(play: Play, romeo: Client, juliet: Client) -> None:
    play.say(juliet, f"<iq to='{VERONA}/romeo' type='get' id='v1'><query xmlns='jabber:iq:version'/></iq>")
    [asked] = romeo.stanzas
    assert (asked.get("from"), asked.get("to")) == (f"{VERONA}/juliet", ROMEO)
    assert asked.get("id") != "v1"
    answer = "<query xmlns='jabber:iq:version'><name>pda</name></query>"
    nurse = play.online(NURSE)
    play.say(nurse, f"<iq to='{VERONA}/juliet' type='result' id='{asked.get('id')}'>{answer}</iq>")  # forged
    assert lines(juliet) == []
    play.say(romeo, f"<iq to='{VERONA}/juliet' type='result' id='{asked.get('id')}'>{answer}</iq>")
    [got] = juliet.stanzas
    assert (got.get("from"), got.get("to"), got.get("id")) == (f"{VERONA}/romeo", JULIET, "v1")
    assert ROMEO not in str(got.attrib)


def test_a_request_that_nobody_answers_ends(play: Play, romeo: Client, juliet: Client) -> None:
    play.say(juliet, f"<iq to='{VERONA}/romeo' type='get' id='v1'><query xmlns='jabber:iq:version'/></iq>")
    play.network.advance(61)
    assert lines(juliet) == ["iq/error romeo wait remote-server-timeout"]


@pytest.mark.parametrize(("bound", "most"), [("MAX_REQUESTS", 3), ("MAX_REQUESTS_BYTES", 3_900)])
def test_requests_that_nobody_answers_are_bounded(
    play: Play, romeo: Client, juliet: Client, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(sys.modules[Exchange.__module__], bound, most)
    for number in range(3):
        play.ask(romeo, "get", f"<query xmlns='u{number}'>{'x' * 1_000}</query>", f"{VERONA}/juliet")
    assert lines(romeo) == []
    told = play.ask(romeo, "get", f"<query xmlns='u'>{'x' * 1_000}</query>", f"{VERONA}/juliet")
    assert told == ["iq/error juliet wait remote-server-timeout"]
    asked = juliet.stanzas[-1]
    play.silence(romeo)
    play.say(juliet, f"<iq to='{asked.get('from')}' type='result' id='{asked.get('id')}'/>")
    assert lines(romeo) == ["iq/result"]


def test_the_vcard_of_an_occupant_is_that_of_its_account(play: Play, romeo: Client, juliet: Client) -> None:
    play.ask(romeo, "set", "<vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard>", "romeo@montague.lit")
    got = play.reply(juliet, "get", "<vCard xmlns='vcard-temp'/>", f"{VERONA}/romeo")
    assert got.get("from") == f"{VERONA}/romeo"
    assert got.findtext("{vcard-temp}vCard/{vcard-temp}FN") == "Romeo"


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (f"<query xmlns='{INFO}'/>", "iq/error romeo cancel bad-request"),
        ("<query xmlns='jabber:iq:version'/>", "iq/error romeo cancel not-acceptable"),
    ],
)
def test_strangers_learn_nothing_of_occupants(play: Play, romeo: Client, payload: str, error: str) -> None:
    assert play.ask(play.online(NURSE), "get", payload, f"{VERONA}/romeo") == [error]
