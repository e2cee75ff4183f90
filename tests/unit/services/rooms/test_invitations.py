"""Who gets into a room, or keeps a nickname there: registrations and invitations (sections 7.8, 7.10 and 7.12)."""

from __future__ import annotations

from cluster.xmpp.extensions.muc import USER
from cluster.xmpp.namespaces import REGISTER
from tests.client import Client, child
from tests.unit.services.rooms.play import BENVOLIO, JULIET, NURSE, VERONA, Play, info, lines
from tests.unit.services.rooms.test_configuration import values

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
