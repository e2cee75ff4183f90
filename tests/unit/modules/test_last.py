"""Last activity (XEP-0012)."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionLost

from cluster.modules import last
from cluster.xmpp.namespaces import DELAY
from tests.client import child
from tests.network import Network, at_once, watched_log
from tests.unit.modules.asking import ask, refused

LAST = "<query xmlns='jabber:iq:last'/>"
ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit"


def seconds(network: Network, jid: str, to: str) -> str | None:
    client = network.client(jid)
    query = ask(network, client, "get", LAST, to)
    client.close()
    return query.get("seconds")


@pytest.mark.parametrize("domain", ["montague.lit", "capulet.lit"])
def test_the_uptime_of_a_server(network: Network, domain: str) -> None:
    network.advance(123.9)  # section 5
    romeo = network.client(ROMEO)
    query = ask(network, romeo, "get", LAST, domain)
    assert (query.get("seconds"), query.text) == ("123", None)


def test_who_is_there_was_seen_now(network: Network) -> None:
    network.friends("romeo@montague.lit", JULIET)
    network.client(f"{JULIET}/balcony")  # connected, and that is enough: section 3
    network.advance(60)
    assert seconds(network, ROMEO, JULIET) == "0"


def test_leaving_while_the_storage_is_away(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    async def put(*args: object) -> bool:
        raise ConnectionLost

    juliet = network.online(f"{JULIET}/balcony")
    monkeypatch.setattr(network.servers["capulet.lit"].store.documents, "put", put)
    with watched_log() as failures:
        juliet.close()
        network.settle()
    assert failures == [], "what was known before is shown"


def test_when_the_last_resource_left_and_what_it_said(network: Network) -> None:
    network.friends("romeo@montague.lit", JULIET)
    chamber, balcony = network.online(f"{JULIET}/chamber"), network.online(f"{JULIET}/balcony")
    network.say(chamber, "<presence type='unavailable'><status>Bed</status></presence></stream:stream>")
    network.advance(10)
    assert seconds(network, ROMEO, JULIET) == "0"
    network.say(balcony, "<presence type='unavailable'><status>Heading &lt;Home&gt;</status></presence>")
    balcony.close()
    network.settle()
    network.advance(903)
    romeo = network.client(ROMEO)
    query = ask(network, romeo, "get", LAST, JULIET)
    assert (query.get("seconds"), query.text) == ("903", "Heading <Home>")


def test_who_was_never_available_may_say_goodbye(network: Network) -> None:
    network.friends("romeo@montague.lit", JULIET)
    balcony = network.client(f"{JULIET}/balcony")
    network.say(balcony, "<presence type='unavailable'><status>Home</status></presence></stream:stream>")
    assert ask(network, network.client(ROMEO), "get", LAST, JULIET).text == "Home"


def test_a_long_status_is_cut(network: Network) -> None:
    juliet = network.online("juliet@capulet.lit/balcony")
    network.say(juliet, f"<presence type='unavailable'><status>{'x' * 100_000}</status></presence>")
    juliet.close()
    network.settle()
    document = at_once(network.servers["capulet.lit"].store.documents.get("juliet", last.NS))
    assert document is not None
    assert last.MAX_STATUS_CHARACTERS < len(document) < 2 * last.MAX_STATUS_CHARACTERS


def test_a_lost_connection_says_nothing(network: Network) -> None:
    network.friends("romeo@montague.lit", JULIET)
    balcony = network.online(f"{JULIET}/balcony")
    network.say(balcony, "<presence type='unavailable'><status>Home</status></presence><presence/>")
    balcony.drop()
    network.advance(5)
    romeo = network.client(ROMEO)
    query = ask(network, romeo, "get", LAST, JULIET)
    assert (query.get("seconds"), query.text) == ("5", None)


def test_an_account_asks_for_itself(network: Network) -> None:
    romeo = network.client(ROMEO)
    assert ask(network, romeo, "get", LAST).get("seconds") == "0"


def test_an_account_that_was_never_here(network: Network) -> None:
    network.friends("romeo@montague.lit", JULIET)
    assert refused(network, network.client(ROMEO), "get", LAST, JULIET) == "cancel item-not-found"


@pytest.mark.parametrize("resource", ["", "/balcony", "/gone"])
@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("subscription", ["none", "from"])  # romeo's presence shows; juliet's does not
def test_strangers_learn_nothing(network: Network, resource: str, online: bool, subscription: str) -> None:
    network.contact("romeo@montague.lit", JULIET, subscription=subscription)  # sections 3, 4 and 8
    network.contact(JULIET, "romeo@montague.lit", subscription="to" if subscription == "from" else "none")
    juliet = network.online(f"{JULIET}/balcony") if online else None
    assert refused(network, network.client(ROMEO), "get", LAST, JULIET + resource) == "auth forbidden"
    if juliet is not None:
        assert juliet.take() == []


def test_who_may_see_the_presence_may_ask_the_resource(network: Network) -> None:
    network.friends("romeo@montague.lit", JULIET)
    juliet, romeo = network.online(f"{JULIET}/balcony"), network.client(ROMEO)
    network.say(romeo, f"<iq type='get' id='1' to='{JULIET}/balcony'>{LAST}</iq>")
    assert juliet.take() == [f"iq/get {ROMEO} 1: query"]  # section 4: the client answers
    network.say(juliet, f"<iq type='result' id='1' to='{ROMEO}'><query xmlns='jabber:iq:last' seconds='123'/></iq>")
    assert romeo.take() == [f"iq/result {JULIET}/balcony 1: query"]
    assert refused(network, romeo, "get", LAST, f"{JULIET}/gone") == "cancel service-unavailable"


def test_a_removed_account_leaves_nothing(network: Network) -> None:
    network.friends("romeo@montague.lit", JULIET)
    juliet = network.online(f"{JULIET}/balcony")
    network.say(juliet, "<iq type='set' id='1'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    network.friends("romeo@montague.lit", JULIET)
    assert refused(network, network.client(ROMEO), "get", LAST, JULIET) == "cancel item-not-found"


def test_a_probe_is_told_when_it_left(network: Network) -> None:
    """RFC 6121 section 4.3.2: also when nothing of the account is in memory any more."""
    network.friends("romeo@montague.lit", JULIET)
    juliet = network.online(f"{JULIET}/balcony")
    network.advance(10)
    network.say(juliet, "<presence type='unavailable'/>")
    left = "2023-11-14T22:13:30.125Z"
    network.advance(10)
    romeo = network.client(ROMEO)
    for still_connected in (True, False):
        if not still_connected:
            juliet.close()
            network.advance(10)
        network.say(romeo, f"<presence type='probe' to='{JULIET}'/>")
        [answer] = romeo.stanzas
        romeo.stanzas.clear()
        delay = child(answer, "delay", DELAY)
        assert (answer.get("type"), delay.get("from"), delay.get("stamp")) == ("unavailable", "capulet.lit", left)
