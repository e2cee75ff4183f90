"""The configuration form, what it changes, and the end of a room (XEP-0045 sections 10.1, 10.2 and 10.9)."""

from __future__ import annotations

import pytest

from cluster.services.rooms.form import FIELDS
from cluster.store.rooms import RoomSettings
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import OWNER
from tests.client import Client
from tests.unit.services.rooms.play import BENVOLIO, JULIET, NURSE, ROMEO, SERVICE, VERONA, Play, lines


def form(play: Play, client: Client) -> dict[str, list[str]]:
    reply = play.reply(client, "get", f"<query xmlns='{OWNER}'/>")
    return values(reply)


def values(reply: Element) -> dict[str, list[str]]:
    return {
        field.get("var", ""): [value.text or "" for value in field.findall("{jabber:x:data}value")]
        for field in reply.iter("{jabber:x:data}field")
    }


def test_each_setting_has_a_field() -> None:
    """But for the preferences of the archive, which have a request of their own (XEP-0441)."""
    fields = {each.setting for each in FIELDS}
    assert fields | {"password", "archive_preferences"} == set(RoomSettings.__struct_fields__)


NEW = {
    "roomname": ["Fair Verona"], "roomdesc": ["where we lay our scene"], "lang": ["it"], "persistentroom": ["1"],
    "publicroom": ["0"], "membersonly": ["1"], "moderatedroom": ["1"], "changesubject": ["1"], "allowinvites": ["0"],
    "enablelogging": ["0"], "allowpm": ["participants"], "whois": ["anyone"], "presencebroadcast": ["moderator"],
    "getmemberlist": ["moderator", "participant"], "maxusers": ["30"], "passwordprotectedroom": ["1"],
    "roomsecret": ["wherefore"], "pubsub": ["xmpp:pubsub.montague.lit?;node=verona"],
    "roomadmins": ["benvolio@montague.lit"], "roomowners": ["romeo@montague.lit"],
}  # fmt: skip


def test_what_is_configured_is_what_the_form_says(play: Play, romeo: Client) -> None:
    before = form(play, romeo)
    assert before["muc#roomconfig_persistentroom"] == ["0"]
    assert before["muc#roomconfig_roomowners"] == ["romeo@montague.lit"]
    assert "iq/result" in play.configure(romeo, maxhistoryfetch="7", **NEW)
    after = form(play, romeo)
    expected = {f"muc#roomconfig_{name}": value for name, value in NEW.items()}
    assert {name: after[name] for name in expected} == expected
    assert after["muc#maxhistoryfetch"] == ["7"]
    assert set(before) == set(after)


def test_what_is_left_out_stays(play: Play, romeo: Client) -> None:
    play.configure(romeo, **NEW)
    play.configure(romeo, roomname="Mantua")
    after = form(play, romeo)
    assert after["muc#roomconfig_roomname"] == ["Mantua"]
    assert after["muc#roomconfig_roomsecret"] == ["wherefore"]


@pytest.mark.parametrize(
    "config",
    [
        {"whois": "everyone"}, {"allowpm": "kings"}, {"maxusers": "10000"}, {"maxusers": "-1"}, {"maxusers": "many"},
        {"membersonly": "maybe"}, {"presencebroadcast": "king"}, {"maxhistoryfetch": "1000000"},
        {"passwordprotectedroom": "1"}, {"roomname": "x" * 5_000}, {"pubsub": "http://verona.it/?;node=x"},
        {"pubsub": "xmpp:pubsub.montague.lit"}, {"pubsub": "xmpp:?;node=x"}, {"pubsub": "xmpp:a@@b?;node=x"},
    ],
)  # fmt: skip
def test_what_cannot_be_configured(play: Play, romeo: Client, juliet: Client, config: dict[str, str]) -> None:
    """Section 10.1.3: not-acceptable, and nothing is changed."""
    before = form(play, romeo)
    assert play.configure(romeo, **config) == ["iq/error verona modify not-acceptable"]
    assert form(play, romeo) == before
    assert lines(juliet) == []


def test_only_owners_configure(play: Play, romeo: Client, juliet: Client) -> None:
    assert play.configure(juliet, roomname="Mine") == ["iq/error verona auth forbidden"]
    assert play.ask(juliet, "get", f"<query xmlns='{OWNER}'/>") == ["iq/error verona auth forbidden"]
    assert play.ask(juliet, "set", f"<query xmlns='{OWNER}'><destroy/></query>") == ["iq/error verona auth forbidden"]


def test_cancelling_the_first_configuration_ends_the_room(play: Play) -> None:
    romeo = play.online(ROMEO)
    play.enter(romeo, "romeo")
    cancel = f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='cancel'/></query>"
    got = play.ask(romeo, "set", cancel)
    assert got == ["gone romeo none none destroyed 110", "iq/result"]
    assert "201" in play.enter(romeo, "romeo")[0]
    play.configure(romeo)
    assert play.ask(romeo, "set", cancel) == ["iq/result"]


@pytest.mark.parametrize(
    ("config", "codes"),
    [
        ({"roomname": "x"}, "104"), ({"whois": "anyone"}, "104 172"), ({"enablelogging": "0"}, "104 171"),
    ],
)  # fmt: skip
def test_changes_of_privacy_are_told(
    play: Play, romeo: Client, juliet: Client, config: dict[str, str], codes: str
) -> None:
    play.configure(romeo, **config)
    assert lines(juliet) == [f"verona {codes}"]
    play.configure(romeo, **config)
    assert lines(juliet) == []


def test_owners_and_admins_by_the_form(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, roomadmins=["juliet@capulet.lit"])
    assert lines(juliet)[0] == f"presence juliet admin moderator {JULIET} 110"
    play.configure(romeo, roomadmins=[], roomowners=["romeo@montague.lit", "juliet@capulet.lit"])
    assert lines(juliet)[0] == f"presence juliet owner moderator {JULIET} 110"
    play.configure(juliet, roomowners=["juliet@capulet.lit"])
    assert "presence romeo admin moderator" in lines(romeo)[0]
    assert play.configure(juliet, roomowners=[]) == ["iq/error verona cancel conflict"]


def test_a_moderated_room_that_is_so_no_more_gives_all_a_voice(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, moderatedroom="1")
    nurse = play.online(NURSE)
    play.enter(nurse, "nurse")
    play.silence(nurse)
    play.configure(romeo, moderatedroom="0")
    assert lines(nurse)[0] == "presence nurse none participant 110"


def test_hidden_presence(play: Play, romeo: Client) -> None:
    """`muc#roomconfig_presencebroadcast`: only moderators are seen."""
    play.configure(romeo, presencebroadcast=["moderator"])
    juliet, nurse = play.online(JULIET), play.online(NURSE)
    play.enter(juliet, "juliet")
    play.silence(romeo)
    assert play.enter(nurse, "nurse") == [
        "presence romeo owner moderator", "presence nurse none participant 110 170", "verona subject ''",
    ]  # fmt: skip
    assert lines(juliet) == lines(romeo) == []


def test_the_end_of_a_room(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, persistentroom="1")
    play.silence(juliet)
    venue = f"mantua@{SERVICE}"
    destroy = f"<query xmlns='{OWNER}'><destroy jid='{venue}'><reason>exile</reason></destroy></query>"
    assert play.ask(romeo, "set", destroy) == [f"gone romeo none none destroyed {venue} 110", "iq/result"]
    assert lines(juliet) == [f"gone juliet none none destroyed {venue} 110"]
    assert "201" in play.enter(play.online(BENVOLIO), "benvolio")[0]


def test_an_instant_room_is_there_for_all(play: Play) -> None:
    romeo = play.online(ROMEO)
    play.enter(romeo, "romeo")
    got = play.ask(romeo, "set", f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'/></query>")
    assert got == ["iq/result"]
    assert "110" in play.enter(play.online(JULIET), "juliet")[1]


@pytest.mark.parametrize("payload", ["", "<x xmlns='jabber:x:data' type='form'/>"])
def test_what_is_no_configuration(play: Play, romeo: Client, payload: str) -> None:
    got = play.ask(romeo, "set", f"<query xmlns='{OWNER}'>{payload}</query>")
    assert got == ["iq/error verona modify bad-request"]
    assert play.ask(romeo, "get", f"<query xmlns='{OWNER}'/>", VERONA.replace("verona", "mantua")) == [
        "iq/error mantua cancel item-not-found"
    ]


def test_rooms_of_the_topology() -> None:
    """Made once; what their owners change stays."""
    verona = {"title": "Fair Verona", "subject": "where we lay", "owners": ["romeo@montague.lit"]}
    balcony = {"members_only": True, "public": False, "members": ["juliet@capulet.lit"], "outcasts": ["capulet.lit"]}
    play = Play(rooms={"verona": verona, "balcony": balcony}, creation="nobody")
    romeo, juliet, nurse = play.online(ROMEO), play.online(JULIET), play.online(NURSE)
    assert play.enter(romeo, "romeo") == [
        f"presence romeo owner moderator {ROMEO} 110 170", "verona subject 'where we lay' (before)",
    ]  # fmt: skip
    assert play.enter(juliet, "juliet", f"balcony@{SERVICE}")[0] == "presence juliet member participant 110 170"
    assert play.enter(nurse, "nurse", f"balcony@{SERVICE}") == ["presence/error nurse auth forbidden"]
    assert play.enter(romeo, "romeo", f"mantua@{SERVICE}") == ["presence/error romeo cancel not-allowed"]
    play.configure(romeo, roomname="Mantua")
    play.network.kill("montague.lit")
    play.network.start("montague.lit")
    assert form(play, play.online(ROMEO))["muc#roomconfig_roomname"] == ["Mantua"]
