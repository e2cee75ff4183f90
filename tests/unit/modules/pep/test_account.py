"""An account as a publish-subscribe service: its discovery, its bounds, and how long its nodes last."""

from __future__ import annotations

from cluster.host.disco import ITEMS
from cluster.pubsub.errors import PUBSUB
from cluster.store.limits import Limit, Limits
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.caps import INFO
from tests.client import Client
from tests.network import CAPULET, Network, at_once
from tests.phone import Phone, managed, resume
from tests.pubsub import Asked, Wanting, publication
from tests.unit.modules.pep.people import JULIET, NURSE, ROMEO, TUNE
from tests.unit.server.test_anonymous import Guest


def disco(network: Network, client: Client, namespace: str, node: str = "") -> Element | str:
    """What is said of Juliet's account, or of a node of it."""
    named = f" node='{node}'" if node else ""
    client.stanzas.clear()
    network.say(client, f"<iq type='get' id='d' to='{JULIET}'><query xmlns='{namespace}'{named}/></iq>")
    network.advance(0.1)
    [reply] = [each for each in client.stanzas if each.get("id") == "d"]
    return reply[0] if reply.get("type") == "result" else "error"


def test_an_account_says_that_it_is_a_service(network: Network, ask: Asked, juliet: Client) -> None:
    for client in (juliet, network.online(f"{ROMEO}/orchard")):
        query = disco(network, client, INFO)
        assert isinstance(query, Element)
        identities = [(each.get("category"), each.get("type")) for each in query.findall(f"{{{INFO}}}identity")]
        assert ("pubsub", "pep") in identities
        features = {each.get("var") for each in query.findall(f"{{{INFO}}}feature")}
        wanted = ("auto-create", "auto-subscribe", "filtered-notifications", "publish-options", "pubsub-on-a-jid")
        assert {f"{PUBSUB}#{name}" for name in wanted} <= features


def test_each_finds_the_nodes_that_are_for_it(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    ask.publish(juliet, "open", "2", access_model="open")
    ask.publish(juliet, "mine", "3", access_model="whitelist")
    found = {}
    for jid in (f"{JULIET}/chamber", f"{ROMEO}/orchard", "tybalt@capulet.lit/x"):
        client = network.online(jid)
        items = disco(network, client, ITEMS)
        assert isinstance(items, Element)
        found[jid] = [each.get("node") for each in items if each.get("node")]
        for node in ("open", TUNE, "mine"):
            described, listed = disco(network, client, INFO, node), disco(network, client, ITEMS, node)
            if node in found[jid]:
                assert isinstance(described, Element)
                assert isinstance(listed, Element)
                assert described.get("node") == listed.get("node") == node
                assert described[0].get("type") == "leaf"
                assert len(listed) == 1
            else:
                assert described == "error"
                assert listed == "error" or len(listed) == 0
    assert found == {
        f"{JULIET}/chamber": [TUNE, "open", "mine"],
        f"{ROMEO}/orchard": [TUNE, "open"],
        "tybalt@capulet.lit/x": ["open"],
    }


def test_only_the_account_creates_nodes(network: Network, ask: Asked, juliet: Client) -> None:
    romeo = network.online(f"{ROMEO}/orchard")
    assert ask.refused(romeo, "<create node='x'/>", to=JULIET) == "auth forbidden"
    assert ask.refused(romeo, publication("x"), to=JULIET) == "cancel item-not-found"


def test_the_bytes_of_an_account_are_bounded() -> None:
    network = Network(limits=Limits(pubsub=Limit(2, 10_000)))
    ask, juliet = Asked(network), network.online(f"{JULIET}/balcony")
    ask.publish(juliet, "one", "1", f"<p xmlns='p'>{'x' * 9_000}</p>")
    refused = ask.refused(juliet, publication("two", "2", f"<p xmlns='p'>{'x' * 9_000}</p>"))
    assert refused == "wait resource-constraint max-items-exceeded"
    assert ask.refused(juliet, publication("three", "3")) == "wait resource-constraint max-nodes-exceeded"


def test_nodes_go_with_their_account(network: Network, ask: Asked, juliet: Client) -> None:
    ask.publish(juliet, TUNE, "1")
    network.say(juliet, "<iq type='set' id='x'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    network.settle()
    again = network.online(f"{JULIET}/balcony")
    assert ask.refused(again, f"<items node='{TUNE}'/>", type="get") == "cancel item-not-found"
    assert at_once(network.servers[CAPULET].store.pubsub.load("juliet")) == {}


def test_after_a_crash_everybody_is_told_again(network: Network) -> None:
    juliet = managed(network, f"{JULIET}/balcony")
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()

    def publish(by: Phone, id: str) -> None:
        network.say(by, f"<iq type='set' id='{id}'><pubsub xmlns='{PUBSUB}'>{publication(TUNE, id)}</pubsub></iq>")
        network.advance(0.1)
        while romeo.answer():
            pass

    publish(juliet, "1")
    assert romeo.told() == [f"{TUNE}: +1 p"]
    network.kill(CAPULET)
    network.start(CAPULET)
    again = resume(network, f"{JULIET}/balcony", juliet.sm_id, juliet.handled)
    publish(again, "2")
    assert romeo.told() == [f"{TUNE}: +2 p (late)"]
    publish(again, "3")
    assert romeo.told() == [f"{TUNE}: +3 p"]


def test_an_account_at_another_node_is_told_and_tells(network: Network, ask: Asked) -> None:
    network.add_node("s2-2", CAPULET)
    juliet = network.online(f"{JULIET}/balcony", at="s2-2")
    nurse = Wanting(network, f"{NURSE}/chamber", TUNE).come()
    romeo = Wanting(network, f"{ROMEO}/orchard", TUNE).come()
    for client in (nurse, romeo):
        client.told()
    ask.publish(juliet, TUNE, "1")
    assert (nurse.told(), romeo.told()) == ([f"{TUNE}: +1 p"], [f"{TUNE}: +1 p"])
    network.say(juliet, "</stream:stream>")
    nurse.leave()
    nurse.come()
    assert nurse.told() == [f"{TUNE}: +1 p (late)"]


def test_an_anonymous_account_has_no_nodes() -> None:
    network = Network(anonymous=True)
    guest = Guest(network)
    asked = guest.say(f"<iq type='get' id='1'><pubsub xmlns='{PUBSUB}'><items node='x'/></pubsub></iq>")
    assert "service-unavailable" in asked
