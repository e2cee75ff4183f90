"""Occupants that are gone without a word, and rooms whose server was (XEP-0045 sections 11 and 18.1.2)."""

from __future__ import annotations

import pytest

from cluster.xmpp.extensions.muc import MODERATE, MUC, OCCUPANT_ID, RETRACT
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import STANZA_ID
from cluster.xmpp.stanza import Stanza, opening
from tests.client import Client, child
from tests.network import CAPULET, ELSINORE, MONTAGUE
from tests.phone import managed, resume
from tests.unit.services.rooms.play import BENVOLIO, JULIET, ROMEO, VERONA, Play, lines

HAMLET = Jid.parse(f"hamlet@{ELSINORE}/castle")
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


@pytest.fixture
def romeo(play: Play) -> Client:
    romeo = play.online(ROMEO)
    play.create(romeo, "romeo", persistentroom="1")
    return romeo


def abroad(play: Play, kind: str, attributes: str, content: str, type: str | None, to: str) -> None:
    """Somebody of a domain that is not ours sends this."""
    raw = opening(kind, HAMLET) + f" to='{to}'{attributes}>{content}</{kind}>".encode()
    names = {"x": f"{MUC} x", "error": "jabber:client error", "body": "jabber:client body"}
    payloads = tuple(name for word, name in names.items() if f"<{word}" in content)
    play.network.abroad.send(Stanza(kind, Jid.parse(to), HAMLET, "1", type, payloads, raw))
    play.network.advance(0.1)


@pytest.fixture
def hamlet(play: Play, romeo: Client) -> None:
    """In the room, from a domain where errors can come from."""
    abroad(play, "presence", "", f"<x xmlns='{MUC}'/>", None, f"{VERONA}/hamlet")
    assert lines(romeo) == [f"presence hamlet none participant {HAMLET}"]
    play.network.forget()


@pytest.mark.parametrize("kind", ["message", "presence"])
@pytest.mark.parametrize(
    ("condition", "is_gone"),
    [
        ("gone", True), ("item-not-found", True), ("recipient-unavailable", True), ("redirect", True),
        ("remote-server-not-found", True), ("remote-server-timeout", True), ("service-unavailable", True),
        ("jid-malformed", True), ("policy-violation", False), ("feature-not-implemented", False),
        ("resource-constraint", False), ("not-acceptable", False),
    ],
)  # fmt: skip
def test_which_errors_are_a_departure(
    play: Play, romeo: Client, hamlet: None, kind: str, condition: str, is_gone: bool
) -> None:
    error = f"<error type='cancel'><{condition} xmlns='{STANZAS}'/></error>"
    abroad(play, kind, " type='error' id='1'", error, "error", f"{VERONA}/romeo")
    gone = f"gone hamlet none none {HAMLET} (not reached: {condition}) 333"
    assert lines(romeo) == ([gone] if is_gone else [])
    assert len(play.network.abroad.take()) == is_gone


@pytest.mark.parametrize(
    ("type", "content"),
    [
        ("groupchat", "<body>I am Romeo</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>"),
        ("groupchat", "<body>go</body><x xmlns='http://jabber.org/protocol/muc#user'><status code='332'/></x>"),
        ("groupchat", "<subject>mine</subject>"),
        ("chat", "<body>between us</body>"),
    ],
)
def test_a_room_does_not_trust_what_another_domain_says_of_the_bytes(
    play: Play, romeo: Client, hamlet: None, type: str, content: str
) -> None:
    """A domain writes what it likes into its link: here, that each is a message to all with a body."""
    message = opening("message", HAMLET) + f" to='{VERONA}' type='{type}'>{content}</message>".encode()
    play.network.abroad.send(
        Stanza("message", Jid.parse(VERONA), HAMLET, None, "groupchat", ("jabber:client body",), message)
    )
    play.network.advance(0.1)
    for told in romeo.stanzas:
        assert told.get("type") == "groupchat"
        assert told.find("{jabber:client}subject") is None
        assert told.find("{http://jabber.org/protocol/muc#user}x") is None
        assert [each.get("id") for each in told.iter(f"{{{OCCUPANT_ID}}}occupant-id")] != ["forged"]
        assert len([*told.iter(f"{{{OCCUPANT_ID}}}occupant-id")]) == 1


def test_an_error_to_a_request_is_no_departure(play: Play, romeo: Client, hamlet: None) -> None:
    error = f"<error type='cancel'><service-unavailable xmlns='{STANZAS}'/></error>"
    abroad(play, "iq", " type='error' id='1'", error, "error", f"{VERONA}/romeo")
    assert lines(romeo) == []


def test_errors_of_strangers_mean_nothing(play: Play, romeo: Client) -> None:
    error = f"<error type='cancel'><service-unavailable xmlns='{STANZAS}'/></error>"
    abroad(play, "message", " type='error' id='1'", error, "error", f"{VERONA}/romeo")
    play.speak(romeo, "still here")
    assert lines(romeo) == ["romeo: still here"]


def test_a_local_client_that_is_gone_comes_back_as_an_error(play: Play, romeo: Client) -> None:
    """A room that nobody told: the first message after that finds it out, and all have one order."""
    benvolio, juliet = play.online(BENVOLIO), play.online(JULIET)
    play.enter(benvolio, "benvolio")
    play.enter(juliet, "juliet")
    account = play.network.servers[MONTAGUE].domain.accounts.online["benvolio"]
    session = account.sessions.pop("pc")
    play.silence(romeo, juliet)
    play.speak(romeo, "anybody there")
    gone = "gone benvolio none none {}(not reached: service-unavailable) 333"
    assert lines(romeo) == ["romeo: anybody there", gone.format(f"{BENVOLIO} ")]
    assert lines(juliet) == ["romeo: anybody there", gone.format("")]
    account.sessions["pc"] = session


def test_who_was_in_a_room_hears_that_its_server_was_killed(play: Play, romeo: Client) -> None:
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.say(romeo, f"<message to='{VERONA}' type='groupchat'><subject>love</subject></message>")
    play.speak(juliet, "farewell")
    play.admin(romeo, "affiliation='member' jid='nurse@capulet.lit' nick='nurse'")
    play.configure(romeo, roomname="Fair Verona")
    play.silence(juliet)
    play.network.kill(MONTAGUE)
    play.network.start(MONTAGUE)
    play.network.advance(1)
    assert lines(juliet) == ["gone juliet none none 110 332"]
    again = play.online(ROMEO)
    assert play.enter(again, "romeo") == [
        f"presence romeo owner moderator {ROMEO} 110 170",
        "juliet: farewell (before)",
        "romeo subject 'love' (before)",
    ]
    assert play.enter(play.online(BENVOLIO), "nurse") == ["presence/error nurse cancel conflict"]
    play.network.kill(MONTAGUE)
    play.network.start(MONTAGUE)
    play.network.advance(1)
    assert lines(juliet) == []  # it was told once


def test_what_is_said_while_the_server_is_away_is_heard_once(play: Play, romeo: Client) -> None:
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.network.kill(MONTAGUE)
    play.speak(juliet, "is anybody there")
    play.silence(juliet)
    play.network.start(MONTAGUE)
    play.network.advance(1)
    assert lines(juliet) == ["gone juliet none none 110 332", "message/error verona modify not-acceptable"]


def test_a_message_that_comes_again_after_a_crash_is_said_once() -> None:
    """It was archived before anybody got it, and its entry in the link was not acknowledged."""
    play = Play(acknowledge_after_s=5.0)
    romeo = play.online(ROMEO)
    play.create(romeo, "romeo", persistentroom="1")
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.network.advance(10)
    play.silence(juliet)
    play.speak(juliet, "once")
    assert lines(juliet) == ["juliet: once"]
    play.network.kill(MONTAGUE)
    play.network.start(MONTAGUE)
    play.network.advance(1)
    assert lines(juliet) == ["gone juliet none none 110 332"]  # it is not refused, though juliet is out of the room
    again = play.online(ROMEO)
    got = play.enter(again, "romeo")
    play.network.advance(10)
    assert [each for each in got + lines(again) if "once" in each] == ["juliet: once (before)"]


def test_a_message_that_was_taken_back_does_not_come_again_after_a_crash() -> None:
    """Its author entered, said it and took it back in entries that were not acknowledged."""
    play = Play(acknowledge_after_s=5.0)
    play.create(play.online(ROMEO), "romeo", persistentroom="1")
    play.network.advance(10)
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.speak(juliet, "wrong room")
    id = child(juliet.stanzas[-1], "stanza-id", STANZA_ID).get("id")
    play.say(juliet, f"<message to='{VERONA}' type='groupchat'><retract xmlns='{RETRACT}' id='{id}'/></message>")
    play.silence(juliet)
    play.network.kill(MONTAGUE)
    play.network.start(MONTAGUE)
    play.network.advance(1)
    nurse = play.online("nurse@capulet.lit/kitchen")
    assert not any("wrong room" in each for each in [*lines(juliet), *play.enter(nurse, "nurse")])


def test_an_orderly_stop(play: Play, romeo: Client) -> None:
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.silence(romeo, juliet)
    play.network.servers[MONTAGUE].stop()
    play.network.advance(1)
    assert lines(juliet) == ["gone juliet none none 110 332"]
    assert lines(romeo)[0] == "gone romeo none none 110 332"


def test_a_temporary_room_waits_for_those_who_lost_it(play: Play) -> None:
    romeo, juliet = play.online(ROMEO), play.online(JULIET)
    play.create(romeo, "romeo")
    play.enter(juliet, "juliet")
    for seconds, is_there in ((1, True), (700, False)):
        play.network.kill(MONTAGUE)
        play.network.start(MONTAGUE)
        play.network.advance(seconds)
        assert ("201" not in play.enter(juliet, "juliet")[0]) is is_there


def test_the_other_domain_goes_down(play: Play, romeo: Client) -> None:
    """Its clients are gone with it, and their server says so when it is back."""
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.silence(romeo)
    play.network.servers[CAPULET].stop()
    play.network.advance(1)
    assert lines(romeo) == [f"gone juliet none none {JULIET}"]


def test_a_stream_that_goes_on_after_the_crash_hears_of_it(play: Play, romeo: Client) -> None:
    """XEP-0198: the client of the server itself is in the room, and its session outlives the process."""
    play.configure(romeo, persistentroom="1")
    phone = managed(play.network, BENVOLIO)
    play.say(phone, "<presence/>")
    play.say(phone, f"<presence to='{VERONA}/benvolio'><x xmlns='{MUC}'/></presence>")
    play.network.kill(MONTAGUE)
    play.network.start(MONTAGUE)
    play.network.advance(1)
    again = resume(play.network, BENVOLIO, phone.sm_id, phone.handled)
    assert f"presence/unavailable {VERONA}/benvolio" in again.take()


def test_a_request_that_finds_out_who_is_gone_reaches_all_others(play: Play, romeo: Client) -> None:
    """An error that arrives meanwhile is handled after the request."""
    benvolio, juliet = play.online(BENVOLIO), play.online(JULIET)
    play.enter(benvolio, "benvolio")
    play.enter(juliet, "juliet")
    play.speak(romeo, "fie")
    said = romeo.stanzas[-1].findall(f"{{{STANZA_ID}}}stanza-id")[-1].get("id")
    account = play.network.servers[MONTAGUE].domain.accounts.online["benvolio"]
    session = account.sessions.pop("pc")
    play.silence(romeo, juliet)
    moderate = f"<moderate xmlns='{MODERATE}' id='{said}'><retract xmlns='{RETRACT}'/></moderate>"
    told = play.ask(romeo, "set", moderate)
    gone = "gone benvolio none none {}(not reached: service-unavailable) 333"
    assert told == ["verona retract store stanza-id", gone.format(f"{BENVOLIO} "), "iq/result"]
    [retracted, last] = lines(juliet)
    assert retracted.startswith("verona retract store stanza-id")
    assert last == gone.format("")
    account.sessions["pc"] = session
