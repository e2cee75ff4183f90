"""Service discovery (XEP-0030), ping (XEP-0199) and version (XEP-0092), as clients ask for them."""

from __future__ import annotations

import pytest

from cluster import modules
from cluster.modules.disco import ITEMS
from cluster.modules.version import NS as VERSION
from cluster.server.disco import INFO
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from tests.client import Client, child
from tests.network import Network

ROMEO = "romeo@montague.lit/pda"


def ask(network: Network, client: Client, to: str, namespace: str, node: str = "") -> Element | str:
    """The query of the result, or the error as a line."""
    attribute = f" node='{node}'" if node else ""
    network.say(client, f"<iq type='get' id='1' to='{to}'><query xmlns='{namespace}'{attribute}/></iq>")
    [answer] = client.stanzas
    [line] = client.take()
    return child(answer, "query", namespace) if answer.get("type") == "result" else line


def features(query: Element | str) -> set[str | None]:
    assert isinstance(query, Element)
    return {feature.get("var") for feature in query.findall(f"{{{INFO}}}feature")}


@pytest.mark.parametrize("domain", ["montague.lit", "capulet.lit"])
def test_a_domain_says_what_its_modules_handle(network: Network, domain: str) -> None:
    query = ask(network, network.client(ROMEO), domain, INFO)
    assert isinstance(query, Element)
    identity = child(query, "identity", INFO)  # XEP-0030 section 3.1
    assert (identity.get("category"), identity.get("type")) == ("server", "im")
    expected = {feature for module in modules.load(modules.defaults()) for feature in module.features}
    assert features(query) == expected
    assert {INFO, ITEMS, "urn:xmpp:ping", "msgoffline", VERSION, "jabber:iq:register"} <= expected


@pytest.mark.parametrize("namespace", [INFO, ITEMS])
def test_only_who_may_see_the_presence_sees_the_account(network: Network, namespace: str) -> None:
    network.friends("romeo@montague.lit", "juliet@capulet.lit")  # section 8
    network.account("tybalt@capulet.lit")
    network.online("juliet@capulet.lit/balcony")
    romeo, nurse = network.client(ROMEO), network.client("nurse@capulet.lit/x")
    assert isinstance(ask(network, romeo, "juliet@capulet.lit", namespace), Element)
    refused = [
        ask(network, nurse, "juliet@capulet.lit", namespace),
        ask(network, romeo, "tybalt@capulet.lit", namespace),
        ask(network, romeo, "nobody@capulet.lit", namespace),
    ]
    assert {str(line).partition(": ")[2] for line in refused} == {"cancel service-unavailable"}


def test_the_items_of_an_account_are_its_available_resources(network: Network) -> None:
    romeo = network.client(ROMEO)
    network.online("romeo@montague.lit/phone")
    query = ask(network, romeo, "romeo@montague.lit", ITEMS)
    assert isinstance(query, Element)
    assert [item.get("jid") for item in query] == ["romeo@montague.lit/phone"]


@pytest.mark.parametrize("namespace", [INFO, ITEMS])
@pytest.mark.parametrize("to", ["capulet.lit", "romeo@montague.lit"])
def test_an_unknown_node(network: Network, namespace: str, to: str) -> None:
    assert ask(network, network.client(ROMEO), to, namespace, "x") == f"iq/error {to} 1: cancel item-not-found"


def test_the_version(network: Network) -> None:
    query = ask(network, network.client(ROMEO), "capulet.lit", VERSION)
    assert isinstance(query, Element)
    assert [xml.split(part.tag)[1] for part in query] == ["name", "version", "os"]
    assert all(part.text for part in query)


@pytest.mark.parametrize("to", ["montague.lit", "capulet.lit", "romeo@montague.lit", "juliet@capulet.lit"])
def test_a_ping(network: Network, to: str) -> None:
    network.account("juliet@capulet.lit")
    romeo = network.client(ROMEO)
    network.say(romeo, f"<iq type='get' id='1' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert romeo.take() == [f"iq/result {to} 1"]
