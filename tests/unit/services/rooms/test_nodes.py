"""A room of a domain with several nodes: it is at one of them, and its people are at any."""

from __future__ import annotations

import pytest

from cluster.xmpp.extensions.muc import MUC
from cluster.xmpp.namespaces import STANZA_ID
from tests.client import Client
from tests.network import MONTAGUE, at_once
from tests.unit.services.rooms.play import BENVOLIO, JULIET, ROMEO, VERONA, Play, lines

SECOND = "s1-2"


@pytest.fixture
def play() -> Play:
    play = Play()
    play.network.add_node(SECOND)
    return play


@pytest.fixture
def romeo(play: Play) -> Client:
    romeo = play.online(ROMEO)
    play.create(romeo, "romeo", persistentroom="1")
    return romeo


@pytest.fixture
def benvolio(play: Play, romeo: Client) -> Client:
    """At the other node."""
    benvolio = play.network.online(BENVOLIO, at=SECOND)
    assert play.enter(benvolio, "benvolio") == [
        "presence romeo owner moderator", "presence benvolio none participant 110 170", "verona subject ''",
    ]  # fmt: skip
    play.silence(romeo)
    return benvolio


def test_all_hear_all_in_one_order(play: Play, romeo: Client, benvolio: Client) -> None:
    juliet = play.online(JULIET)
    play.enter(juliet, "juliet")
    play.silence(romeo, benvolio)
    people = (romeo, benvolio, juliet)
    for number in range(30):
        people[number % 3].send(f"<message to='{VERONA}' type='groupchat'><body>{number}</body></message>")
    play.network.advance(1)
    heard = [lines(client) for client in people]
    assert len(heard[0]) == 30
    assert heard[0] == heard[1] == heard[2]


def test_a_message_has_its_id_in_the_archive_at_every_node(play: Play, romeo: Client, benvolio: Client) -> None:
    play.speak(benvolio, "which id")
    [said], [heard] = romeo.stanzas, benvolio.stanzas
    assert [each.get("by") for each in said.iter(f"{{{STANZA_ID}}}stanza-id")] == [VERONA]
    assert [each.get("id") for each in heard.iter(f"{{{STANZA_ID}}}stanza-id")] == [
        each.get("id") for each in said.iter(f"{{{STANZA_ID}}}stanza-id")
    ]


def test_a_client_cannot_claim_an_id_of_the_room_at_another_node(play: Play, romeo: Client, benvolio: Client) -> None:
    claim = f"<stanza-id xmlns='{STANZA_ID}' by='{VERONA}' id='x'/>"
    play.say(benvolio, f"<message to='{ROMEO}' type='chat'><body>trust me</body>{claim}</message>")
    [got] = romeo.stanzas
    assert VERONA not in [each.get("by") for each in got.iter(f"{{{STANZA_ID}}}stanza-id")]


def test_requests_and_private_messages(play: Play, romeo: Client, benvolio: Client) -> None:
    play.speak(benvolio, "hist", f"{VERONA}/romeo", "chat")
    assert lines(romeo) == ["chat benvolio: hist"]
    play.speak(romeo, "what", f"{VERONA}/benvolio", "chat")
    assert lines(benvolio) == ["chat romeo: what"]
    assert play.ask(benvolio, "get", "<ping xmlns='urn:xmpp:ping'/>", f"{VERONA}/benvolio") == ["iq/result"]
    play.admin(romeo, "role='none' nick='benvolio'")
    assert lines(benvolio) == ["gone benvolio none none by romeo 110 307"]


def test_a_client_of_the_other_node_that_goes_offline_leaves(play: Play, romeo: Client, benvolio: Client) -> None:
    benvolio.drop()
    play.network.advance(0.1)
    assert lines(romeo) == [f"gone benvolio none none {BENVOLIO}"]


def test_a_node_that_dies_takes_its_clients_out_of_the_room(play: Play, romeo: Client, benvolio: Client) -> None:
    play.network.crash(SECOND)
    play.network.advance(30)
    play.speak(romeo, "anybody there")
    play.network.advance(1)
    assert any(line.startswith("gone benvolio none none") for line in lines(romeo))
    again = play.network.online(BENVOLIO)
    play.say(again, f"<presence to='{VERONA}/benvolio'><x xmlns='{MUC}'/></presence>")
    assert "presence benvolio none participant 110 170" in lines(again)


# --- the node that has the room is gone

SILENCE_S = 4.0


def kill_first(play: Play, *clients: Client) -> None:
    """Kill the first node, which has the room, and with it the connections of these clients."""
    for client in clients:
        client.is_closed = True
    play.network.crash(MONTAGUE)


def test_another_node_takes_the_room_over(play: Play, romeo: Client, benvolio: Client) -> None:
    juliet = play.online(JULIET)
    play.configure(romeo, membersonly="1", roomname="Verona", persistentroom="1", roomowners=[str(romeo.jid.bare)])
    play.admin(romeo, f"affiliation='member' jid='{juliet.jid.bare}'")
    play.enter(juliet, "juliet")
    play.say(romeo, f"<message to='{VERONA}' type='groupchat'><subject>feuds</subject></message>")
    play.speak(romeo, "before")
    play.silence(juliet)
    kill_first(play, romeo)
    play.network.advance(SILENCE_S)
    assert lines(juliet) == ["gone juliet none none 110 332"]
    assert play.enter(juliet, "juliet") == [
        "presence juliet member participant 110 170", "romeo: before (before)", "romeo subject 'feuds' (before)",
    ]  # fmt: skip
    assert play.enter(benvolio, "benvolio") == ["presence/error benvolio auth registration-required"]
    again = play.network.online(ROMEO, at=SECOND)
    assert f"presence romeo owner moderator {ROMEO} 110 170" in play.enter(again, "romeo")
    play.silence(juliet)
    play.speak(again, "after")
    assert lines(juliet) == ["romeo: after"]


@pytest.mark.parametrize("at", [SECOND, "capulet.lit"])
def test_what_is_said_meanwhile_is_returned_or_heard_in_order(
    play: Play, romeo: Client, benvolio: Client, at: str
) -> None:
    speaker = benvolio if at == SECOND else play.online(JULIET)
    play.enter(speaker, "speaker")
    play.silence(romeo, speaker)
    kill_first(play, romeo)
    for number in range(8):  # before the others miss the node, while it is taken over, and after that
        speaker.send(f"<message to='{VERONA}' type='groupchat' id='{number}'><body>{number}</body></message>")
        play.network.advance(0.5)
    speaker.send(f"<presence to='{VERONA}/speaker'><x xmlns='{MUC}'/></presence>")
    speaker.send(f"<message to='{VERONA}' type='groupchat' id='8'><body>8</body></message>")
    play.network.advance(SILENCE_S)
    told = [(each.get("type"), each.get("id")) for each in speaker.stanzas if each.tag.endswith("}message")]
    answered = [(type, id) for type, id in told if id is not None and id.isdigit()]
    assert answered == [*[("error", str(number)) for number in range(8)], ("groupchat", "8")]
    heard = lines(speaker)
    assert heard.index("gone speaker none none 110 332") < heard.index("presence speaker none participant 110 170")


def test_a_node_that_stops_leaves_the_room_to_another_one(play: Play, romeo: Client, benvolio: Client) -> None:
    play.network.servers[MONTAGUE].stop()
    play.network.advance(0.1)
    assert lines(benvolio) == ["gone benvolio none none 110 332"]
    assert "presence benvolio none participant 110 170" in play.enter(benvolio, "benvolio")


def test_the_room_stays_where_it_is_when_its_former_node_is_back(play: Play, romeo: Client, benvolio: Client) -> None:
    kill_first(play, romeo)
    play.network.advance(SILENCE_S)
    play.enter(benvolio, "benvolio")
    play.network.start(MONTAGUE)
    again = play.online(ROMEO)
    assert f"presence benvolio none participant {BENVOLIO}" in play.enter(again, "romeo")
    play.silence(benvolio)
    play.speak(again, "back again")
    assert lines(benvolio) == ["romeo: back again"]


def test_who_enters_again_while_nobody_has_the_room_is_in_it(play: Play, romeo: Client, benvolio: Client) -> None:
    """What was sent to the dead node is handled before the others are told."""
    kill_first(play, romeo)
    play.say(benvolio, f"<presence to='{VERONA}/benvolio'><x xmlns='{MUC}'/></presence>")
    play.network.advance(SILENCE_S)
    assert lines(benvolio) == ["presence benvolio none participant 110 170", "verona subject ''"]
    play.speak(benvolio, "here")
    assert lines(benvolio) == ["benvolio: here"]
    play.network.kill(SECOND)
    play.network.settle()
    store = play.network.servers[SECOND].store
    record = at_once(store.rooms.load("verona"))
    assert record is not None
    assert [str(jid) for jid in record.occupants] == [BENVOLIO]


def test_the_heir_dies_too_before_it_takes_the_room_over(play: Play, romeo: Client) -> None:
    """What waits for the first node comes to the heir of its heir."""
    play.network.add_node("s1-3")
    nurse = play.network.online("nurse@montague.lit/kitchen", at="s1-3")
    play.enter(nurse, "nurse")
    play.silence(nurse)
    kill_first(play, romeo)
    play.speak(nurse, "is anybody there")
    play.network.crash(SECOND)
    play.network.advance(2 * SILENCE_S)
    assert lines(nurse) == ["message/error verona modify not-acceptable", "gone nurse none none 110 332"]
