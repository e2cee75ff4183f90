"""Several nodes that serve one domain: its clients cannot tell where an account or another client is."""

from __future__ import annotations

import pytest

from cluster.modules import carbons
from cluster.xmpp.namespaces import SM
from tests.network import MONTAGUE, Network
from tests.phone import managed, resume

TWO = "s1-2"
SILENCE_S = 4.0


@pytest.fixture
def network(network: Network) -> Network:
    """montague.lit has a second node."""
    network.add_node(TWO)
    return network


def chat(to: str, text: str) -> str:
    return f"<message to='{to}' type='chat'><body>{text}</body></message>"


def test_a_message_reaches_an_account_at_another_node(network: Network) -> None:
    romeo, benvolio = network.online("romeo@montague.lit/pda"), network.online("benvolio@montague.lit/home", at=TWO)
    network.say(romeo, chat("benvolio@montague.lit", "hi"))
    network.say(benvolio, chat("romeo@montague.lit/pda", "hi yourself"))
    assert benvolio.take() == ["message/chat romeo@montague.lit/pda: hi"]
    assert romeo.take() == ["message/chat benvolio@montague.lit/home: hi yourself"]


def test_so_does_one_from_another_domain_and_back(network: Network) -> None:
    juliet = network.online("juliet@capulet.lit/balcony")
    here, there = network.online("romeo@montague.lit/pda"), network.online("benvolio@montague.lit/home", at=TWO)
    for client in (here, there):
        network.say(juliet, chat(str(client.jid), "hi"))
        network.say(client, chat("juliet@capulet.lit", "good night"))
        assert client.take() == ["message/chat juliet@capulet.lit/balcony: hi"]
        assert juliet.take() == [f"message/chat {client.jid}: good night"]


def test_order_is_kept(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/balcony"), network.online("romeo@montague.lit/pda", at=TWO)
    network.say(juliet, "".join(chat("romeo@montague.lit", str(number)) for number in range(50)))
    assert [line.rpartition(" ")[2] for line in romeo.take()] == [str(number) for number in range(50)]


def test_two_clients_of_one_account_at_two_nodes_share_its_presence(network: Network) -> None:
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    juliet = network.online("juliet@capulet.lit/balcony")
    here = network.online("romeo@montague.lit/pda")
    there = network.client("romeo@montague.lit/home", at=TWO)
    network.forget()
    network.say(there, "<presence><show>away</show></presence>")
    assert juliet.take() == ["presence romeo@montague.lit/home: away"]
    assert "presence romeo@montague.lit/home: away" in here.take()
    assert sorted(there.take()) == [
        "presence juliet@capulet.lit/balcony",
        "presence romeo@montague.lit/home: away",
        "presence romeo@montague.lit/pda",
    ]
    there.close()
    network.settle()
    assert juliet.take() == ["presence/unavailable romeo@montague.lit/home"]
    assert here.take() == ["presence/unavailable romeo@montague.lit/home"]


def test_both_get_what_is_for_the_account(network: Network) -> None:
    juliet = network.online("juliet@capulet.lit/balcony")
    here, there = network.online("romeo@montague.lit/pda"), network.online("romeo@montague.lit/home", at=TWO)
    network.forget()
    network.say(juliet, chat("romeo@montague.lit", "both of you"))
    assert here.take() == there.take() == ["message/chat juliet@capulet.lit/balcony: both of you"]
    network.say(juliet, chat("romeo@montague.lit/home", "only you"))
    assert there.take() == ["message/chat juliet@capulet.lit/balcony: only you"]
    assert here.take() == []


def test_roster_pushes_reach_both(network: Network) -> None:
    here, there = network.online("romeo@montague.lit/pda"), network.online("romeo@montague.lit/home", at=TWO)
    network.forget()
    item = "<item jid='nurse@capulet.lit' name='Nurse'/>"
    network.say(there, f"<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    assert here.take() == ["push nurse@capulet.lit none 'Nurse'"]
    assert sorted(there.take()) == ["iq/result 1", "push nurse@capulet.lit none 'Nurse'"]


def test_carbons_reach_the_other_one(network: Network) -> None:
    juliet = network.online("juliet@capulet.lit/balcony")
    here, there = network.online("romeo@montague.lit/pda"), network.online("romeo@montague.lit/home", at=TWO)
    for client in (here, there):
        network.say(client, f"<iq type='set' id='c'><enable xmlns='{carbons.NS}'/></iq>")
    network.forget()
    network.say(there, chat("juliet@capulet.lit", "it is the east"))
    assert juliet.take() == ["message/chat romeo@montague.lit/home: it is the east"]
    [copy] = here.stanzas
    assert copy.find(f"{{{carbons.NS}}}sent") is not None


def test_subscriptions_between_accounts_at_two_nodes(network: Network) -> None:
    romeo, benvolio = network.online("romeo@montague.lit/pda"), network.online("benvolio@montague.lit/home", at=TWO)
    network.say(romeo, "<presence to='benvolio@montague.lit' type='subscribe'/>")
    assert benvolio.take() == ["presence/subscribe romeo@montague.lit"]
    network.say(benvolio, "<presence to='romeo@montague.lit' type='subscribed'/>")
    assert "presence benvolio@montague.lit/home" in romeo.take()
    item = network.item("romeo@montague.lit", "benvolio@montague.lit")
    assert item is not None
    assert item.subscription == "to"


def test_a_question_for_a_session_at_another_node_is_answered(network: Network) -> None:
    network.friends("romeo@montague.lit", "benvolio@montague.lit")
    romeo, benvolio = network.online("romeo@montague.lit/pda"), network.online("benvolio@montague.lit/home", at=TWO)
    network.forget()
    network.say(romeo, "<iq to='benvolio@montague.lit/home' type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert benvolio.take() == ["iq/get romeo@montague.lit/pda q: ping"]
    network.say(benvolio, "<iq to='romeo@montague.lit/pda' type='result' id='q'/>")
    assert romeo.take() == ["iq/result benvolio@montague.lit/home q"]


def test_the_same_resource_at_another_node_ends_the_older_one(network: Network) -> None:
    here = network.online("romeo@montague.lit/pda")
    there = network.online("romeo@montague.lit/pda", at=TWO)
    assert here.is_closed
    assert "conflict" in str(here.failed)
    assert there.jid == here.jid


def test_when_the_last_client_is_gone_the_account_is_free(network: Network) -> None:
    here, there = network.online("romeo@montague.lit/pda"), network.online("romeo@montague.lit/home", at=TWO)
    here.close()
    network.settle()
    there.close()
    network.settle()
    again = network.online("romeo@montague.lit/home", at=TWO)
    owners: list[str] = []
    network.servers[MONTAGUE].nodes.claim("romeo").addCallback(owners.append)
    assert again.jid
    assert owners == [TWO]


def test_messages_wait_offline_for_whichever_node_the_client_comes_to(network: Network) -> None:
    network.account("romeo@montague.lit")
    juliet = network.online("juliet@capulet.lit/balcony")
    network.say(juliet, chat("romeo@montague.lit", "wherefore"))
    romeo = network.client("romeo@montague.lit/pda", at=TWO)
    network.say(romeo, "<presence/>")
    assert "message/chat juliet@capulet.lit/balcony: wherefore" in romeo.take()


def test_a_malformed_address_is_answered_as_at_home(network: Network) -> None:
    network.online("romeo@montague.lit/pda")
    there = network.online("romeo@montague.lit/home", at=TWO)
    network.forget()
    network.say(there, "<message to='@@' id='m'><body>?</body></message>")
    assert there.take() == ["message/error: modify jid-malformed"]


def test_an_account_is_removed_wherever_it_is(network: Network) -> None:
    romeo = network.online("romeo@montague.lit/pda", at=TWO)
    removed: list[bool] = []
    network.servers[MONTAGUE].domain.context.remove_account("romeo", lambda: None).addCallback(removed.append)
    network.settle()
    assert removed == [True]
    assert "not-authorized" in str(romeo.failed)
    assert network.login("romeo@montague.lit/pda").failed is not None


def test_a_client_that_does_not_read_is_waited_for(network: Network) -> None:
    network.online("romeo@montague.lit/pda")
    slow, juliet = network.online("romeo@montague.lit/home", at=TWO), network.online("juliet@capulet.lit/balcony")
    network.forget()
    slow.reading = False
    for number in range(40):
        network.say(juliet, chat("romeo@montague.lit/home", f"{number:08}" * 1000))
    assert len(slow.wire.written) < 200_000
    slow.reading = True
    network.settle()
    assert len(slow.take()) == 40


# --- stream management (XEP-0198)


def test_a_stream_at_another_node_is_managed(network: Network) -> None:
    network.online("romeo@montague.lit/pda")
    there = managed(network, "romeo@montague.lit/home", at=TWO)
    assert there.sm_id
    network.online("juliet@capulet.lit/balcony")
    network.say(there, chat("juliet@capulet.lit", "1") + f"<r xmlns='{SM}'/>")
    assert there.last("a").get("h") == "1"


@pytest.mark.parametrize(("first", "second"), [("", TWO), (TWO, ""), (TWO, TWO)])
def test_a_session_is_resumed_from_any_node(network: Network, first: str, second: str) -> None:
    juliet = network.online("juliet@capulet.lit/balcony")
    network.online("romeo@montague.lit/pda")  # the account is at the first node
    romeo = managed(network, "romeo@montague.lit/home", at=first)
    romeo.drop()
    network.settle()
    network.say(juliet, chat("romeo@montague.lit/home", "are you there?"))
    again = resume(network, "romeo@montague.lit/home", romeo.sm_id, romeo.handled, at=second)
    assert again.got[0].tag == f"{{{SM}}}resumed"
    assert again.take() == ["message/chat juliet@capulet.lit/balcony: are you there?"]
    network.say(again, chat("juliet@capulet.lit", "I am"))
    assert juliet.take() == ["message/chat romeo@montague.lit/home: I am"]


def test_what_cannot_be_resumed_from_another_node_is_refused(network: Network) -> None:
    network.online("romeo@montague.lit/pda")
    refused = resume(network, "romeo@montague.lit/home", "unknown", 0, at=TWO)
    assert b"item-not-found" in refused.output
    romeo = managed(network, "romeo@montague.lit/home")
    romeo.drop()
    network.settle()
    too_much = resume(network, "romeo@montague.lit/home", romeo.sm_id, 99, at=TWO)
    assert b"undefined-condition" in too_much.output
    assert too_much.is_closed


# --- a node dies


def test_the_clients_of_its_accounts_at_other_nodes_are_told_to_connect_again(network: Network) -> None:
    network.online("romeo@montague.lit/home", at=TWO)
    here = network.online("romeo@montague.lit/pda")
    network.crash(TWO)
    network.advance(SILENCE_S)
    assert "system-shutdown" in str(here.failed)
    again = network.online("romeo@montague.lit/pda")
    juliet = network.online("juliet@capulet.lit/balcony")
    network.say(juliet, chat("romeo@montague.lit", "hi"))
    assert again.take() == ["message/chat juliet@capulet.lit/balcony: hi"]


def test_its_own_clients_are_gone_from_accounts_elsewhere(network: Network) -> None:
    here = network.online("romeo@montague.lit/pda")
    network.online("romeo@montague.lit/home", at=TWO)
    network.forget()
    network.crash(TWO)
    network.advance(SILENCE_S)
    assert here.take() == ["presence/unavailable romeo@montague.lit/home"]


def test_contacts_hear_that_the_sessions_are_gone(network: Network) -> None:
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    juliet = network.online("juliet@capulet.lit/balcony")
    network.online("romeo@montague.lit/pda", at=TWO)
    network.forget()
    network.crash(TWO)
    network.advance(SILENCE_S)
    assert juliet.take() == ["presence/unavailable romeo@montague.lit"]


def test_what_was_on_its_way_to_it_is_kept(network: Network) -> None:
    network.online("romeo@montague.lit/home", at=TWO)
    benvolio = network.online("benvolio@montague.lit/home")
    network.crash(TWO)
    network.say(benvolio, chat("romeo@montague.lit", "careful!"))
    network.advance(SILENCE_S)
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, "<presence/>")
    assert "message/chat benvolio@montague.lit/home: careful!" in romeo.take()
