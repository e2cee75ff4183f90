"""What the server learns of the capabilities of who listens, and how much of it it remembers (XEP-0115, XEP-0390)."""

from __future__ import annotations

import itertools

import pytest
from twisted.internet.task import Clock

from cluster.pubsub import audience, interests
from cluster.server import questions
from cluster.server.questions import ANSWER_TIMEOUT_S, Questions
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.caps import CAPS, INFO, Capabilities
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from tests.client import Client
from tests.network import Network
from tests.pubsub import Asked, Wanting
from tests.unit.modules.pep.people import JULIET, MOOD, NURSE, ROMEO, TUNE


def test_one_client_of_each_hash_is_asked(network: Network, juliet: Client) -> None:
    first = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    second = Wanting(network, f"{NURSE}/chamber", TUNE).come()
    again = Wanting(network, f"{ROMEO}/garden", TUNE).come()
    assert first.asked == [f"http://test#{first.ver}"] * 2  # by Juliet's server, and by Romeo's own
    assert (second.asked, again.asked) == ([], [])


def test_those_who_come_meanwhile_wait_for_the_same_answer(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    first = Wanting(network, f"{NURSE}/one", TUNE).come(answering=False)
    second = Wanting(network, f"{NURSE}/two", TUNE).come(answering=False)
    assert second.answer() == 0
    first.answer()
    assert first.told() == second.told() == [f"{TUNE}: +1 p (late)"]


def test_a_hash_that_is_not_that_of_the_answer_says_nothing_of_others(
    network: Network, ask: Asked, juliet: Client
) -> None:
    ask.publish(juliet, TUNE, "1")
    ask.publish(juliet, MOOD, "2")
    liar = Wanting(network, f"{NURSE}/chamber", MOOD)
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE)
    liar.ver = romeo.ver
    liar.come()
    assert liar.told() == [f"{MOOD}: +2 p (late)"]
    romeo.come()
    assert romeo.asked != []
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]


def test_who_does_not_answer_keeps_nobody_waiting_for_ever(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    silent = Wanting(network, f"{NURSE}/one", TUNE).come(answering=False)
    second = Wanting(network, f"{NURSE}/two", TUNE).come(answering=False)
    network.advance(ANSWER_TIMEOUT_S)
    assert second.answer() > 0
    assert second.told() == [f"{TUNE}: +1 p (late)"]
    silent.answer()  # too late
    assert silent.told() == []


def test_who_answered_too_late_is_asked_again_when_it_sends_presence_again(
    network: Network, ask: Asked, juliet: Client
) -> None:
    ask.publish(juliet, TUNE, "1")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come(answering=False)
    romeo.come(answering=False)
    network.advance(ANSWER_TIMEOUT_S)
    assert romeo.answer() == 2  # of both its contact and its own account, and no more for its second presence
    assert romeo.told() == []
    romeo.come()
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]
    romeo.come()
    assert len(romeo.asked) == 4


def test_of_many_who_are_gone_each_is_asked_without_an_end() -> None:
    clock, learned, numbers = Clock(), list[str](), itertools.count()
    juliet = Jid.parse(JULIET)

    def route(question: Stanza) -> None:
        assert question.to is not None
        if question.to.resourcepart.startswith("gone"):
            questions.answered(question.error(StanzaError(Condition.SERVICE_UNAVAILABLE)))

    questions = Questions(route, lambda: str(next(numbers)), clock)
    known = interests.Interests(questions.ask)
    said = Capabilities("node#hash", "sha-1", "hash")
    for name in ("silent", *(f"gone{number}" for number in range(2_000)), "last"):
        known.learn(juliet, Jid.parse(f"{NURSE}/{name}"), said, lambda wanted, name=name: learned.append(name))
    clock.advance(ANSWER_TIMEOUT_S)
    for _ in range(2_001):
        clock.advance(0)
    query = Element(f"{{{INFO}}}query")
    last = Jid.parse(f"{NURSE}/last")
    questions.answered(make("iq", from_=last, to=juliet, id="2001", type="result", payload=[query]))
    clock.advance(0)
    assert learned == ["last"]


def test_an_answer_of_somebody_else_does_not_count(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come(answering=False)
    asked = [each for each in romeo.client.stanzas if each.find(f"{{{INFO}}}query") is not None]
    [question] = [each for each in asked if each.get("from") == JULIET]
    mercutio = network.client("mercutio@montague.lit/x")
    forged = f"<query xmlns='{INFO}'><feature var='{MOOD}+notify'/></query>"
    network.say(mercutio, f"<iq type='result' id='{question.get('id')}' to='{JULIET}'>{forged}</iq>")
    network.advance(0.1)
    romeo.answer()
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]


def test_capabilities_of_old_clients_count_for_each_alone(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    for place in ("one", "two"):
        old = Wanting(network, f"{NURSE}/{place}", TUNE)
        old.caps = lambda: "<c xmlns='http://jabber.org/protocol/caps' node='http://old' ver='1.0'/>"
        old.come()
        assert set(old.asked) == {""}
        assert old.told() == [f"{TUNE}: +1 p (late)"]


def test_capabilities_of_the_second_kind(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE, software="BombusMod")
    # printf 'http://jabber.org/protocol/disco#info\x1fhttp://jabber.org/protocol/tune+notify\x1f\x1c'\
    # 'client\x1fpc\x1f\x1fBombusMod\x1f\x1e\x1c\x1c' | openssl dgst -binary -sha256 | openssl base64
    hash = "ZDhkolNBS/jChCTTRXHq9xReYpVlfpZL4DDv1Fh/uWo="
    romeo.caps = lambda: f"<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>{hash}</hash></c>"
    romeo.come()
    assert set(romeo.asked) == {f"urn:xmpp:caps#sha-256.{hash}"}
    assert romeo.told() == [f"{TUNE}: +1 p (late)"]


def test_what_is_remembered_of_hashes_is_bounded(
    network: Network, juliet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interests, "MAX_CACHED", 1)
    first = Wanting(network, f"{NURSE}/one", TUNE).come()
    Wanting(network, f"{NURSE}/two", MOOD).come()
    first.leave()
    first.come()
    assert len(first.asked) == 2


@pytest.mark.parametrize("whose", [interests, questions])
def test_a_client_that_keeps_on_changing_its_capabilities_is_in_nobodys_way(
    network: Network, ask: Asked, juliet: Client, monkeypatch: pytest.MonkeyPatch, whose: object
) -> None:
    monkeypatch.setattr(whose, "MAX_WAITING" if whose is interests else "MAX_ASKED", 3)
    tybalt = network.online("tybalt@capulet.lit/x")
    for number in range(5):
        caps = f"<c xmlns='{CAPS}' hash='sha-1' node='n' ver='{number}'/>"
        network.say(tybalt, f"<presence to='{JULIET}'>{caps}</presence>")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    ask.publish(juliet, TUNE, "1")
    assert romeo.told() == [f"{TUNE}: +1 p"]
    network.advance(ANSWER_TIMEOUT_S)
    ask.publish(juliet, TUNE, "2")
    assert romeo.told() == [f"{TUNE}: +2 p"]


def test_who_waits_for_an_answer_to_one_hash_is_bounded(
    network: Network, ask: Asked, juliet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interests, "MAX_WAITING", 2)
    clients = [Wanting(network, f"servant{number}@capulet.lit/x", TUNE) for number in range(4)]
    for client in clients:
        client.come(to=JULIET, answering=False)
    assert [client.answer() for client in clients] == [1, 0, 0, 0]
    ask.publish(juliet, TUNE, "1", access_model="open")
    assert [client.told() for client in clients] == [[f"{TUNE}: +1 p"], [], [], [f"{TUNE}: +1 p"]]


def test_strangers_take_no_room_from_those_who_see_the_presence(
    network: Network, ask: Asked, juliet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "MAX_STRANGERS", 1)
    ask.publish(juliet, TUNE, "1", access_model="open")
    one = Wanting(network, "tybalt@capulet.lit/1", TUNE).come(to=JULIET)
    two = Wanting(network, "tybalt@capulet.lit/2", TUNE).come(to=JULIET)
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    assert [each.told() for each in (one, two, romeo)] == [[f"{TUNE}: +1 p (late)"], [], [f"{TUNE}: +1 p (late)"]]
    one.leave()
    two.leave()
    two.come(to=JULIET)
    assert two.told() == [f"{TUNE}: +1 p (late)"]


def test_the_listeners_of_an_account_are_bounded(
    network: Network, ask: Asked, juliet: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "MAX_OF_ACCOUNT", 2)  # Juliet's own resource is one of them
    first = Wanting(network, f"{NURSE}/one", TUNE).come()
    second = Wanting(network, f"{NURSE}/two", TUNE).come()
    ask.publish(juliet, TUNE, "1")
    assert (first.told(), second.told()) == ([f"{TUNE}: +1 p"], [])
