"""What is asked of a room and of its occupants: avatars, pings, requests."""

from __future__ import annotations

import base64
import sys
from hashlib import sha1

import pytest

from cluster.host.disco import INFO
from cluster.services.rooms.exchange import Exchange
from cluster.xmpp.namespaces import CLIENT
from tests.client import Client
from tests.unit.services.rooms.play import JULIET, NURSE, ROMEO, VERONA, Play, info, lines
from tests.unit.services.rooms.test_configuration import values

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
