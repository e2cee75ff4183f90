"""Service discovery (XEP-0030), ping (XEP-0199) and version (XEP-0092), as clients ask for them."""

from __future__ import annotations

import pytest

from cluster import modules
from cluster.host.disco import INFO, ITEMS
from cluster.host.module import Item
from cluster.modules.version import NS as VERSION
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.caps import verification
from cluster.xmpp.jid import Jid
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


@pytest.fixture
def strangers(network: Network) -> list[tuple[Client, str]]:
    """Who asks whom: accounts that are here, away, and none."""
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    network.account("tybalt@capulet.lit")
    network.online("juliet@capulet.lit/balcony")
    romeo, nurse = network.client(ROMEO), network.client("nurse@capulet.lit/x")
    here, away, nobody = (f"{name}@capulet.lit" for name in ("juliet", "tybalt", "nobody"))
    return [(nurse, here), (nurse, away), (nurse, nobody), (romeo, away), (romeo, nobody)]


@pytest.mark.parametrize("node", ["", "x"])
def test_strangers_learn_nothing_of_an_account(
    network: Network, strangers: list[tuple[Client, str]], node: str
) -> None:
    for client, to in strangers:  # section 8
        assert str(ask(network, client, to, INFO, node)).endswith(": cancel service-unavailable")
        items = ask(network, client, to, ITEMS, node)
        assert isinstance(items, Element)
        assert len(items) == 0
        assert items.get("node", "") == node


@pytest.mark.parametrize(
    "request_",
    [
        "<query xmlns='urn:example:unknown'/>", f"<query xmlns='{INFO}'/>", "<vCard xmlns='vcard-temp'/>",
        f"<query xmlns='{VERSION}'/>", "<time xmlns='urn:xmpp:time'/>", "<pubsub xmlns='http://jabber.org/protocol/pubsub'/>",
    ],
)  # fmt: skip
def test_strangers_are_answered_as_if_there_was_no_account(
    network: Network, strangers: list[tuple[Client, str]], request_: str
) -> None:
    answers = set()
    for client, to in strangers:
        network.say(client, f"<iq type='get' id='1' to='{to}'>{request_}</iq>")
        [answer] = client.stanzas
        client.stanzas.clear()
        answers.add(xml.serialize(answer[-1]))  # the error, down to its text
    assert len(answers) == 1


@pytest.mark.parametrize("namespace", [INFO, ITEMS])
def test_who_may_see_the_presence_sees_the_account(network: Network, namespace: str) -> None:
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    network.online("juliet@capulet.lit/balcony")
    assert isinstance(ask(network, network.client(ROMEO), "juliet@capulet.lit", namespace), Element)


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


# --- what modules declare


def eventing() -> ServerModule:
    """A module with an identity and items at the domain, and others at each account."""
    module = ServerModule("eventing", ns="urn:example:eventing")
    module.identity("pubsub", "service", "News of the house")
    module.identity("pubsub", "pep", addressed_to=("own", "account"))

    @module.disco_items(addressed_to=("domain",))
    async def news(ctx: ModuleContext, about: None) -> list[Item]:
        return [Item(Jid("", f"news.{ctx.domain}"), name="News")]

    @module.disco_items(addressed_to=("own", "account"))
    async def nodes(ctx: ModuleContext, account: LocalAccount) -> list[Item]:
        return [Item(account.jid, "urn:xmpp:avatar:data", "Avatar")]

    @module.disco_items(addressed_to=("own",))
    async def secrets(ctx: ModuleContext, account: LocalAccount) -> list[Item]:
        return [Item(account.jid, "urn:example:diary")]

    return module


def attributes(query: Element | str, name: str, namespace: str) -> list[dict[str, str]]:
    assert isinstance(query, Element)
    return [dict(each.items()) for each in query.findall(f"{{{namespace}}}{name}")]


@pytest.fixture
def more() -> Network:
    network = Network(
        loaded=[*modules.load(name for name in modules.defaults() if name != "pep"), eventing()],
        components={"echo.montague.lit": "secret"},
    )
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    return network


def test_a_module_declares_what_the_domain_is(more: Network) -> None:
    romeo = more.client(ROMEO)
    query = ask(more, romeo, "montague.lit", INFO)
    assert attributes(query, "identity", INFO) == [
        {"category": "server", "type": "im", "name": "xmpplab"},
        {"category": "pubsub", "type": "service", "name": "News of the house"},
    ]
    assert isinstance(query, Element)
    assert f'ver="{verification(query)}"'.encode() in romeo.output  # XEP-0115 follows from it
    assert attributes(ask(more, romeo, "montague.lit", ITEMS), "item", ITEMS) == [
        {"jid": "echo.montague.lit"},
        {"jid": "news.montague.lit", "name": "News"},
    ]


def test_a_module_declares_what_each_account_is(more: Network) -> None:
    romeo, juliet = more.online(ROMEO), more.online("juliet@capulet.lit/balcony")
    avatar = {"jid": "romeo@montague.lit", "node": "urn:xmpp:avatar:data", "name": "Avatar"}
    for client, secret in ((romeo, [{"jid": "romeo@montague.lit", "node": "urn:example:diary"}]), (juliet, [])):
        assert attributes(ask(more, client, "romeo@montague.lit", INFO), "identity", INFO) == [
            {"category": "account", "type": "registered"},
            {"category": "pubsub", "type": "pep"},
        ]
        items = ask(more, client, "romeo@montague.lit", ITEMS)
        assert attributes(items, "item", ITEMS) == [{"jid": ROMEO}, avatar, *secret]


def test_strangers_learn_nothing_of_what_modules_have_below_an_account(more: Network) -> None:
    nurse = more.client("nurse@capulet.lit/x")
    more.online(ROMEO)
    assert attributes(ask(more, nurse, "romeo@montague.lit", ITEMS), "item", ITEMS) == []
    assert str(ask(more, nurse, "romeo@montague.lit", INFO)).endswith(": cancel service-unavailable")
