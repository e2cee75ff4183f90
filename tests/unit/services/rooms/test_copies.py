"""A message of a room goes to all in one piece, and each occupant gets its own copy of it."""

from __future__ import annotations

import pytest

from cluster import services
from cluster.server.nodes.frames import Deliver
from cluster.xmpp.copies import Copies
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import MUC, OWNER
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import DELIVERY
from cluster.xmpp.stanza import make
from tests.client import Client
from tests.network import MONTAGUE, Network
from tests.unit.services.rooms.play import BENVOLIO, JULIET, NURSE, ROMEO, VERONA, Play, lines

TWO = "s1-2"
FAR = "verona@conference.capulet.lit"


def enter(network: Network, client: Client, nick: str, room: str = FAR) -> None:
    network.say(client, f"<presence to='{room}/{nick}'><x xmlns='{MUC}'/></presence>")
    client.take()


def bodies(client: Client) -> list[str]:
    return [line.rpartition(" ")[2] for line in client.take() if line.startswith("message/groupchat")]


def test_the_copies_of_another_domain_are_told_apart_by_their_receivers(play: Play, romeo: Client) -> None:
    """Each has the mark of its message, by which a repetition is recognised."""
    juliet, nurse = play.online(JULIET), play.online(NURSE)
    for client, nick in ((juliet, "juliet"), (nurse, "nurse")):
        play.enter(client, nick)
    play.silence(juliet, nurse)
    for text in ("one", "two"):
        play.speak(romeo, text)
    marks = [
        [each.get("id") for s in client.stanzas for each in s.iter(f"{{{DELIVERY}}}delivery")]
        for client in (juliet, nurse)
    ]
    assert len(set(marks[0])) == 2
    assert marks[0] == marks[1]
    assert [stanza.get("to") for stanza in juliet.stanzas] == [JULIET, JULIET]
    assert [stanza.get("to") for stanza in nurse.stanzas] == [NURSE, NURSE]


@pytest.mark.parametrize("blocked", [VERONA, "conference.montague.lit"])
def test_who_blocks_the_room_gets_none(play: Play, romeo: Client, juliet: Client, blocked: str) -> None:
    benvolio = play.online(BENVOLIO)
    play.enter(benvolio, "benvolio")
    play.say(benvolio, f"<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{blocked}'/></block></iq>")
    play.silence(romeo, benvolio, juliet)
    play.speak(romeo, "hi")
    assert lines(benvolio) == []
    assert "hi" in str(lines(juliet))


@pytest.fixture
def network() -> Network:
    """montague.lit has a second node, which reads the links; what has just settled is not acknowledged yet. The room is
    at capulet.lit."""
    [service] = services.load(("rooms",))
    network = Network(services={"conference.capulet.lit": service}, acknowledge_after_s=0.01)
    network.add_node(TWO)
    return network


def test_all_at_another_node_than_the_reader_of_the_link_get_theirs_once(network: Network) -> None:
    """Their copies have one place in the link."""
    juliet = network.online(JULIET)
    near = [network.online(jid) for jid in (ROMEO, BENVOLIO)]
    enter(network, juliet, "juliet")
    open_ = f"<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'/></query>"
    network.say(juliet, f"<iq type='set' id='open' to='{FAR}'>{open_}</iq>")
    for client, nick in zip(near, ("romeo", "benvolio"), strict=True):
        enter(network, client, nick)
    network.advance(1)
    network.forget()
    network.say(juliet, f"<message to='{FAR}' type='groupchat'><body>hi</body></message>")
    assert [bodies(client) for client in near] == [["hi"], ["hi"]]
    network.crash(TWO)  # the other node reads it again
    network.advance(4)
    assert [bodies(client) for client in near] == [[], []]


def test_of_what_a_node_passed_on_in_part_the_rest_comes_from_the_next_reader(network: Network) -> None:
    near = [network.online(jid) for jid in (ROMEO, BENVOLIO)]
    routing, place = network.servers[MONTAGUE].server.routing, "capulet.lit:1-1:0"
    said = make("message", from_=Jid.parse(f"{FAR}/juliet"), type="groupchat", payload=[Element("{jabber:client}body")])
    copies = Copies(said, [Jid.parse(jid) for jid in (ROMEO, BENVOLIO)])
    routing.from_node(TWO, Deliver(copies.first, place), "s1-2:1-1:0")
    assert routing.copies_from_link(copies, place) == []
    network.settle()
    assert [len(client.take()) for client in near] == [1, 1]
