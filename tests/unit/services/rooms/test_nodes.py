"""A room of a domain with several nodes: it is at the first one, and its people are at any."""

from __future__ import annotations

import pytest

from cluster.xmpp.extensions.muc import MUC
from tests.client import Client
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
