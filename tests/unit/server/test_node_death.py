"""A node of a domain is killed: what was on its way to its sessions, and from them, arrives once."""

from __future__ import annotations

import pytest

from cluster.server.nodes.frames import OpenSession
from cluster.store.session import KeptSession
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid
from tests.network import Network, at_once, watched_log
from tests.phone import Phone, managed, resume

TWO = "s1-2"
SILENCE_S = 4.0
ROMEO, BENVOLIO, JULIET = "romeo@montague.lit/pda", "benvolio@montague.lit/home", "juliet@capulet.lit/balcony"


@pytest.fixture
def network() -> Network:
    """montague.lit has a second node, which reads the links; what has just settled is not acknowledged yet."""
    network = Network(acknowledge_after_s=0.01)
    network.add_node(TWO)
    return network


def chat(to: str, text: str) -> str:
    return f"<message to='{to}' type='chat'><body>{text}</body></message>"


def request(to: str, id: str) -> str:
    return f"<iq to='{to}' type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>"


def kill(network: Network, client: Phone) -> None:
    """Kill the second node, where this client's stream ends."""
    client.is_closed = True
    network.crash(TWO)


def resumed(network: Network, client: Phone, handled: int | None = None) -> Phone:
    """The others have noticed, and the client comes back; it had got as many stanzas as it says."""
    network.advance(SILENCE_S)
    return resume(network, str(client.jid), client.sm_id, client.handled if handled is None else handled)


def quiet(network: Network, client: Phone) -> None:
    """All that went before is acknowledged."""
    network.advance(1)
    client.take()
    network.forget()


def test_the_answer_to_a_request(network: Network) -> None:
    network.friends("romeo@montague.lit", "benvolio@montague.lit")
    benvolio, romeo = network.online(BENVOLIO), managed(network, ROMEO, at=TWO)
    quiet(network, romeo)
    network.say(romeo, request(BENVOLIO, "q"))
    kill(network, romeo)
    assert "iq/get romeo@montague.lit/pda q: ping" in benvolio.take()
    network.say(benvolio, f"<iq to='{ROMEO}' type='result' id='q'/>")
    assert resumed(network, romeo).take() == [f"iq/result {BENVOLIO} q"]


def test_a_request(network: Network) -> None:
    network.friends("romeo@montague.lit", "benvolio@montague.lit")
    benvolio, romeo = network.online(BENVOLIO), managed(network, ROMEO, at=TWO)
    quiet(network, romeo)
    kill(network, romeo)
    network.say(benvolio, request(ROMEO, "q"))
    again = resumed(network, romeo)
    assert again.take() == [f"iq/get {BENVOLIO} q: ping"]
    network.say(again, f"<iq to='{BENVOLIO}' type='result' id='q'/>")
    assert benvolio.take() == [f"iq/result {ROMEO} q"]


def test_a_request_to_a_session_that_does_not_come_back_is_answered_with_an_error(network: Network) -> None:
    network.friends("romeo@montague.lit", "benvolio@montague.lit")
    benvolio, romeo = network.online(BENVOLIO), managed(network, ROMEO, at=TWO)
    quiet(network, romeo)
    kill(network, romeo)
    network.say(benvolio, request(ROMEO, "q"))
    network.advance(SILENCE_S)
    assert benvolio.take() == []
    network.advance(300)
    assert f"iq/error {ROMEO} q: cancel service-unavailable" in benvolio.take()


@pytest.mark.parametrize("sender", [BENVOLIO, JULIET])
def test_directed_presence(network: Network, sender: str) -> None:
    other, romeo = network.online(sender), managed(network, ROMEO, at=TWO)
    quiet(network, romeo)
    kill(network, romeo)
    network.say(other, f"<presence to='{ROMEO}'><show>dnd</show></presence>")
    assert resumed(network, romeo).take() == [f"presence {sender}: dnd"]


@pytest.mark.parametrize("sender", [BENVOLIO, JULIET])
@pytest.mark.parametrize("seen", [True, False])
def test_messages_that_it_had_kept_and_not_acknowledged(network: Network, sender: str, seen: bool) -> None:
    other, romeo = network.online(sender), managed(network, ROMEO, at=TWO)
    quiet(network, romeo)
    handled = romeo.handled
    for number in range(20):
        network.say(other, chat(ROMEO, str(number)))
    texts = [line.rpartition(" ")[2] for line in romeo.take()]
    assert texts == [str(number) for number in range(20)]
    kill(network, romeo)
    again = resumed(network, romeo, None if seen else handled)
    assert [line.rpartition(" ")[2] for line in again.take()] == ([] if seen else texts)
    store = network.servers["montague.lit"].store
    kept = at_once(store.archives.query(Jid.parse("romeo@montague.lit"), Query())).messages
    assert len(kept) == len({each.id for each in kept}) == 20


def test_a_request_that_it_had_kept_and_not_acknowledged(network: Network) -> None:
    network.friends("romeo@montague.lit", "benvolio@montague.lit")
    benvolio, romeo = network.online(BENVOLIO), managed(network, ROMEO, at=TWO)
    quiet(network, romeo)
    network.say(benvolio, request(ROMEO, "q"))
    assert romeo.take() == [f"iq/get {BENVOLIO} q: ping"]
    kill(network, romeo)
    assert resumed(network, romeo).take() == []


@pytest.mark.parametrize("kind", ["message", "iq"])
def test_what_the_reader_of_a_link_had_sent_on_and_not_acknowledged(network: Network, kind: str) -> None:
    """The account's own node lives on."""
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    juliet, romeo = network.online(JULIET), network.online(ROMEO)
    network.advance(1)
    network.say(juliet, chat(ROMEO, "hi") if kind == "message" else request(ROMEO, "q"))
    assert len(romeo.take()) == 1
    network.crash(TWO)
    network.advance(SILENCE_S)
    assert romeo.take() == []
    network.say(juliet, chat(ROMEO, "again"))
    assert romeo.take() == [f"message/chat {JULIET}: again"]


@pytest.mark.parametrize("what", ["resume", "bind"])
def test_who_asks_a_node_that_nobody_misses_yet_is_taken_to_its_heir(network: Network, what: str) -> None:
    romeo = managed(network, ROMEO, at=TWO)
    benvolio = network.online(BENVOLIO)
    quiet(network, romeo)
    kill(network, romeo)
    network.say(benvolio, chat(ROMEO, "hi"))
    if what == "resume":
        again = resume(network, ROMEO, romeo.sm_id, romeo.handled)
        assert again.got == []
        network.advance(SILENCE_S)
        network.advance(1)
        assert again.got[0].tag.endswith("}resumed")
        assert again.take() == [f"message/chat {BENVOLIO}: hi"]
        network.say(benvolio, chat(ROMEO, "still there?"))
        assert again.take() == [f"message/chat {BENVOLIO}: still there?"]
    else:
        bound = network.login("romeo@montague.lit/orchard")
        network.advance(SILENCE_S)
        network.advance(1)
        assert str(bound.jid) == "romeo@montague.lit/orchard"
        assert not bound.is_closed


def test_the_order_is_kept_between_what_waits_for_it_and_what_is_new(network: Network) -> None:
    benvolio, romeo = network.online(BENVOLIO), managed(network, ROMEO, at=TWO)
    quiet(network, romeo)
    kill(network, romeo)
    for number in range(5):
        network.say(benvolio, chat(ROMEO, str(number)))
    network.advance(SILENCE_S)
    for number in range(5, 10):
        network.say(benvolio, chat(ROMEO, str(number)))
    again = resume(network, ROMEO, romeo.sm_id, romeo.handled)
    assert [line.rpartition(" ")[2] for line in again.take()] == [str(number) for number in range(10)]


def test_an_account_whose_sessions_cannot_be_restored_is_reached_all_the_same(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    benvolio, juliet = network.online(BENVOLIO), network.online(JULIET)
    rosaline = managed(network, "rosaline@montague.lit/phone", at=TWO)
    romeo = managed(network, ROMEO, at=TWO)
    quiet(network, romeo)
    sessions = network.servers[TWO].store.sessions
    load = sessions.load

    async def fail_for_romeo(localpart: str) -> list[KeptSession]:
        if localpart == "romeo":
            raise ValueError("the record of his session cannot be read")
        return await load(localpart)

    monkeypatch.setattr(sessions, "load", fail_for_romeo)
    rosaline.is_closed = True
    kill(network, romeo)
    for sender in (benvolio, juliet):
        network.say(sender, chat("romeo@montague.lit", str(sender.jid)))
    with watched_log() as failures:
        network.advance(SILENCE_S)
    assert len(failures) == 1
    assert resume(network, str(rosaline.jid), rosaline.sm_id, rosaline.handled).got[0].tag.endswith("}resumed")
    again = network.login(ROMEO)
    network.say(again, "<presence/>")
    texts = {line.rpartition(" ")[2] for line in again.take()}
    assert {BENVOLIO, JULIET} <= texts


def test_a_wish_for_a_session_at_a_third_node_holds_up_no_inbox(network: Network) -> None:
    """That node may be taking over from this one, and wait until this one has read all that came."""
    third = "s1-3"
    network.add_node(third)
    romeo = managed(network, ROMEO, at=third)
    quiet(network, romeo)
    romeo.is_closed = True
    network.crash(third)
    wish = OpenSession("stream", "romeo", previd=romeo.sm_id)
    assert network.servers[TWO].nodes.server.take("s1", wish, "s1:1-0:0") is None
