"""Entering a room and leaving it, from the client's side (XEP-0045 sections 7.1, 7.2, 7.6, 7.7 and 7.14)."""

from __future__ import annotations

import pytest

from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import MUC, OCCUPANT_ID, OWNER, USER
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import DELAY
from cluster.xmpp.stanza import make
from tests.client import Client, child
from tests.unit.services.rooms.play import BENVOLIO, JULIET, ROMEO, SERVICE, VERONA, Play, lines


def test_the_first_to_enter_owns_a_room_that_is_locked(play: Play) -> None:
    romeo, juliet = play.online(ROMEO), play.online(JULIET)
    assert play.enter(romeo, "romeo") == [
        f"presence romeo owner moderator {ROMEO} 110 170 201",
        "verona subject ''",
    ]
    assert play.enter(juliet, "juliet") == ["presence/error juliet cancel item-not-found"]
    assert play.configure(romeo) == ["iq/result"]
    assert play.enter(juliet, "juliet")[-2:] == ["presence juliet none participant 110 170", "verona subject ''"]


def test_the_order_of_events(play: Play, romeo: Client, juliet: Client) -> None:
    play.speak(romeo, "good morrow")
    play.say(romeo, f"<message to='{VERONA}' type='groupchat'><subject>love</subject></message>")
    benvolio = play.online(BENVOLIO)
    assert play.enter(benvolio, "benvolio") == [
        "presence romeo owner moderator",
        "presence juliet none participant",
        "presence benvolio none participant 110 170",
        "romeo: good morrow (before)",
        "romeo subject 'love' (before)",
    ]
    assert lines(juliet)[-1] == "presence benvolio none participant"
    assert lines(romeo)[-1] == f"presence benvolio none participant {BENVOLIO}"


def test_a_room_tells_who_is_the_same_and_nobody_can_say_so_of_themselves(
    play: Play, romeo: Client, juliet: Client
) -> None:
    forged = f"<occupant-id xmlns='{OCCUPANT_ID}' id='mine'/>"
    item = f"<x xmlns='{USER}'><item affiliation='owner' role='moderator'/></x>"
    delay = f"<delay xmlns='{DELAY}' from='{VERONA}' stamp='2001-01-01T00:00:00Z'/>"
    play.say(juliet, f"<presence to='{VERONA}/juliet'><show>dnd</show>{item}{forged}{delay}</presence>")
    [presence] = romeo.stanzas
    assert presence.find(f"{{{DELAY}}}delay") is None
    first = child(presence, "occupant-id", OCCUPANT_ID).get("id")
    assert first != "mine"
    assert child(presence, "x", USER)[0].get("affiliation") == "none"
    play.say(juliet, f"<message to='{VERONA}' type='groupchat'><body>hello</body>{forged}</message>")
    assert child(romeo.stanzas[-1], "occupant-id", OCCUPANT_ID).get("id") == first


def test_presence_passes_and_the_nick_stays(play: Play, romeo: Client, juliet: Client) -> None:
    play.say(juliet, f"<presence to='{VERONA}/juliet'><show>away</show><c xmlns='urn:example:x'/></presence>")
    assert romeo.stanzas[0].find("{urn:example:x}c") is not None
    assert lines(romeo) == [f"presence juliet none participant {JULIET}: away"]
    assert lines(juliet) == ["presence juliet none participant 110: away"]


def test_leaving(play: Play, romeo: Client, juliet: Client) -> None:
    play.say(juliet, f"<presence to='{VERONA}/juliet' type='unavailable'><status>farewell</status></presence>")
    assert lines(juliet) == ["gone juliet none none 110: farewell"]
    assert lines(romeo) == [f"gone juliet none none {JULIET}: farewell"]
    play.say(juliet, f"<presence to='{VERONA}/juliet' type='unavailable'/>")
    assert lines(juliet) == lines(romeo) == []


def test_a_client_that_goes_offline_leaves(play: Play, romeo: Client, juliet: Client) -> None:
    juliet.drop()
    play.network.advance(0.1)
    assert lines(romeo) == [f"gone juliet none none {JULIET}"]


def test_a_room_is_gone_with_the_last_occupant(play: Play, romeo: Client) -> None:
    play.say(romeo, f"<presence to='{VERONA}/romeo' type='unavailable'/>")
    assert "201" in play.enter(play.online(BENVOLIO), "benvolio")[0]


@pytest.mark.parametrize("archive", ["0", "1"])
def test_a_persistent_room_stays(play: Play, romeo: Client, archive: str) -> None:
    """With what was said, which is read again where it was archived."""
    play.configure(romeo, persistentroom="1", enablelogging=archive)
    play.speak(romeo, "farewell")
    play.say(romeo, f"<presence to='{VERONA}/romeo' type='unavailable'/>")
    assert bool([*room(play).history]) is (archive == "0")
    assert play.enter(play.online(BENVOLIO), "benvolio") == [
        "presence benvolio none participant 110" + (" 170" if archive == "1" else ""),
        "romeo: farewell (before)",
        "verona subject ''",
    ]


def test_a_locked_room_goes_with_its_creator(play: Play) -> None:
    romeo, juliet = play.online(ROMEO), play.online(JULIET)
    play.enter(romeo, "romeo")
    play.say(romeo, f"<presence to='{VERONA}/romeo' type='unavailable'/>")
    assert lines(romeo) == [f"gone romeo owner none {ROMEO} destroyed 110"]
    assert "201" in play.enter(juliet, "juliet")[0]


def test_a_nickname_is_one_persons(play: Play, romeo: Client, juliet: Client) -> None:
    benvolio = play.online(BENVOLIO)
    assert play.enter(benvolio, "juliet") == ["presence/error juliet cancel conflict"]
    assert play.enter(benvolio, "JULIET") == ["presence/error JULIET cancel conflict"]
    assert play.enter(benvolio, "julіet") == ["presence/error julіet cancel conflict"]  # with a Cyrillic і
    assert lines(romeo) == lines(juliet) == []


def test_clients_of_one_account_share_a_nickname(play: Play, romeo: Client, juliet: Client) -> None:
    chamber = play.online("juliet@capulet.lit/chamber")
    assert play.enter(chamber, "juliet")[:2] == [
        "presence romeo owner moderator", "presence juliet none participant 110 170",
    ]  # fmt: skip
    assert lines(juliet) == ["presence juliet none participant 110"]  # section 16.6: an occupant of one's own
    play.silence(romeo, juliet)
    play.speak(chamber, "it is I")
    assert lines(juliet) == lines(chamber)[-1:] == lines(romeo) == ["juliet: it is I"]
    play.say(chamber, f"<presence to='{VERONA}/juliet' type='unavailable'/>")
    assert lines(chamber) == ["gone juliet none none 110"]
    assert lines(romeo) == [f"presence juliet none participant {JULIET}"]
    play.speak(juliet, "still here")
    assert lines(romeo) == ["juliet: still here"]


def test_another_nickname(play: Play, romeo: Client, juliet: Client) -> None:
    play.say(juliet, f"<presence to='{VERONA}/jule' id='n1'/>")
    assert lines(romeo) == [
        f"gone juliet none participant {JULIET} jule 303", f"presence jule none participant {JULIET}",
    ]  # fmt: skip
    assert lines(juliet) == ["gone juliet none participant jule 110 303", "presence jule none participant 110"]
    play.say(juliet, f"<presence to='{VERONA}/romeo'/>")
    assert lines(juliet) == ["presence/error romeo cancel conflict"]
    play.speak(juliet, "a name is a name")
    assert lines(romeo) == ["jule: a name is a name"]


def test_the_room_tidies_a_nickname_and_says_so(play: Play, romeo: Client) -> None:
    benvolio = play.online(BENVOLIO)
    assert play.enter(benvolio, "cousin  Ben")[1] == "presence cousin Ben none participant 110 170 210"


@pytest.mark.parametrize("nick", ["   ", "\u200b", "x" * 300])
def test_what_is_no_nickname(play: Play, romeo: Client, nick: str) -> None:
    benvolio = play.online(BENVOLIO)
    [error] = play.enter(benvolio, nick)
    assert "not-acceptable" in error or "jid-malformed" in error


def test_who_enters_without_a_nickname_is_told_so(play: Play, romeo: Client) -> None:
    benvolio = play.online(BENVOLIO)
    play.say(benvolio, f"<presence to='{VERONA}'><x xmlns='{MUC}'/></presence>")
    assert lines(benvolio) == ["presence/error verona modify jid-malformed"]


def test_presence_of_who_is_not_inside_is_no_way_in(play: Play, romeo: Client) -> None:
    benvolio = play.online(BENVOLIO)
    play.say(benvolio, f"<presence to='{VERONA}/benvolio'/>")
    assert lines(benvolio) == ["gone benvolio none none (You are not in the room.) 110 307 333"]
    assert lines(romeo) == []


def test_who_has_lost_track_enters_again_and_gets_everything(play: Play, romeo: Client, juliet: Client) -> None:
    assert play.enter(juliet, "juliet") == [
        "presence romeo owner moderator", "presence juliet none participant 110 170", "verona subject ''",
    ]  # fmt: skip
    assert lines(romeo) == []


def test_a_password(play: Play, romeo: Client) -> None:
    play.configure(romeo, passwordprotectedroom="1", roomsecret="wherefore")
    benvolio = play.online(BENVOLIO)
    assert play.enter(benvolio, "benvolio") == ["presence/error benvolio auth not-authorized"]
    assert play.enter(benvolio, "benvolio", x="<password>art thou</password>") == [
        "presence/error benvolio auth not-authorized"
    ]
    assert "110" in play.enter(benvolio, "benvolio", x="<password>wherefore</password>")[1]


def test_members_only(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, membersonly="1")
    assert lines(juliet)[0] == "gone juliet none none 110 322"
    assert play.enter(juliet, "juliet") == ["presence/error juliet auth registration-required"]
    play.admin(romeo, "affiliation='member' jid='juliet@capulet.lit'")
    assert play.enter(juliet, "juliet")[1] == "presence juliet member participant 110 170"


def test_a_room_that_is_full_lets_in_who_administers_it(play: Play, romeo: Client) -> None:
    play.configure(romeo, maxusers="1")
    benvolio = play.online(BENVOLIO)
    assert play.enter(benvolio, "benvolio") == ["presence/error benvolio wait service-unavailable"]
    play.admin(romeo, "affiliation='admin' jid='benvolio@montague.lit'")
    assert "110" in play.enter(benvolio, "benvolio")[1]


def test_a_non_anonymous_room_says_so(play: Play, romeo: Client, juliet: Client) -> None:
    play.configure(romeo, whois="anyone")
    assert lines(juliet)[0] == "verona 104 172"
    assert play.enter(play.online(BENVOLIO), "benvolio") == [
        f"presence romeo owner moderator {ROMEO}", f"presence juliet none participant {JULIET}",
        f"presence benvolio none participant {BENVOLIO} 100 110 170", "verona subject ''",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ("", ["1", "2", "3"]),
        ("<history maxstanzas='2'/>", ["2", "3"]),
        ("<history maxstanzas='1000000000'/>", ["1", "2", "3"]),
        ("<history maxchars='0'/>", []),
        ("<history maxstanzas='0'/>", []),
        ("<history seconds='25'/>", ["2", "3"]),
        ("<history since='2023-11-14T22:13:39Z'/>", ["3"]),
        ("<history since='1970-01-01T00:00:00Z' maxstanzas='1'/>", ["3"]),
    ],
)
def test_history(play: Play, romeo: Client, history: str, expected: list[str]) -> None:
    for body in ("1", "2", "3"):
        play.speak(romeo, body)
        play.network.advance(9.9)
    got = play.enter(play.online(BENVOLIO), "benvolio", x=history)
    assert [each for each in got if "before" in each] == [f"romeo: {body} (before)" for body in expected]


def test_a_clock_that_is_set_back_hides_no_history(play: Play, romeo: Client) -> None:
    play.speak(romeo, "1")
    play.network.wall_clock_set_by_s = -600.0
    play.speak(romeo, "2")
    play.network.wall_clock_set_by_s = 0.0
    got = play.enter(play.online(BENVOLIO), "benvolio", x="<history since='2023-11-14T22:13:20Z'/>")
    assert [each for each in got if "before" in each] == ["romeo: 1 (before)", "romeo: 2 (before)"]


def test_a_limit_in_characters_counts_whole_stanzas(play: Play, romeo: Client) -> None:
    for body in ("a", "b"):
        play.speak(romeo, body)
    whole = [len(said.message.raw) for said in room(play).history]
    got = play.enter(play.online(BENVOLIO), "benvolio", x=f"<history maxchars='{sum(whole) - 10}'/>")
    assert [each for each in got if "before" in each] == ["romeo: b (before)"]


@pytest.mark.parametrize("history", ["maxstanzas='many'", "seconds='-1'", "since='yesterday'", f"maxchars='{9**30}'"])
def test_a_history_that_cannot_be(play: Play, romeo: Client, history: str) -> None:
    got = play.enter(play.online(BENVOLIO), "benvolio", x=f"<history {history}/>")
    assert got == ["presence/error benvolio modify bad-request"]


def test_who_may_create_rooms(play: Play) -> None:
    play = Play(creation="local")
    assert play.enter(play.online(JULIET), "juliet") == ["presence/error juliet cancel not-allowed"]
    assert "201" in play.enter(play.online(ROMEO), "romeo")[0]


def test_there_are_so_many_rooms_and_no_more(play: Play) -> None:
    play = Play(max_rooms=1)
    play.enter(play.online(ROMEO), "romeo")
    other = VERONA.replace("verona", "mantua")
    assert play.enter(play.online(BENVOLIO), "benvolio", other) == ["presence/error benvolio wait resource-constraint"]


def test_one_account_does_not_take_all_rooms(play: Play) -> None:
    """Nor do the accounts of another domain."""
    play = Play(max_rooms=20)
    juliet = play.online(JULIET)
    for number in range(2):
        play.create(juliet, "juliet", f"room{number}@{SERVICE}", persistentroom="1")
    refused = ["presence/error juliet wait resource-constraint"]
    assert play.enter(juliet, "juliet", f"room2@{SERVICE}") == refused
    play.ask(juliet, "set", f"<query xmlns='{OWNER}'><destroy/></query>", f"room0@{SERVICE}")
    assert "201" in play.enter(juliet, "juliet", f"room2@{SERVICE}")[0]
    people = [play.online(f"p{number}@capulet.lit/x") for number in range(5)]
    rooms = [play.enter(people[number // 2], "p", f"more{number}@{SERVICE}")[0] for number in range(9)]
    assert [("201" in line) for line in rooms] == [True] * 8 + [False]
    assert "201" in play.enter(play.online(ROMEO), "romeo", f"home@{SERVICE}")[0]


def test_too_much_presence_is_refused(play: Play, romeo: Client) -> None:
    play.say(romeo, f"<presence to='{VERONA}/romeo'><status>{'x' * 20_000}</status></presence>")
    assert lines(romeo) == ["presence/error romeo modify policy-violation"]


def room(play: Play):  # of the server's own
    from cluster.services.rooms.directory import rooms

    hosted = play.network.servers["montague.lit"].server._hosted[0]._hosted
    return rooms.of(hosted._ctx).rooms["verona"]


def test_an_address_without_a_localpart_creates_no_room(play: Play, romeo: Client) -> None:
    """Its affiliation would be that of all accounts of the domain (section 9.2)."""
    abroad = play.network.abroad
    for name in ("mantua", "verona"):
        to, payload = Jid.parse(f"{name}@{SERVICE}/bot"), [Element(f"{{{MUC}}}x")]
        abroad.send(make("presence", to=to, from_=Jid.parse("elsinore.lit/bot"), payload=payload))
        play.network.settle()
    told = abroad.take()
    assert any("not-allowed" in line for line in told if "mantua" in line)
    assert told
    assert not any("error" in line for line in told if "verona" in line)
