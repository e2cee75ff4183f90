"""Private XML storage (XEP-0049)."""

from __future__ import annotations

import pytest

from cluster.modules.private import MAX_BYTES
from cluster.store.limits import Limit, Limits
from cluster.xmpp import element as xml
from tests.client import Client
from tests.network import Network
from tests.unit.modules.asking import ask, refused

NS = "jabber:iq:private"
ROMEO = "romeo@montague.lit/pda"
PREFS = "<exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus>"
ROOMS = "<storage xmlns='storage:bookmarks'><conference jid='a@b'/></storage>"


def query(content: str) -> str:
    return f"<query xmlns='{NS}'>{content}</query>"


def kept(network: Network, client: Client, name: str, namespace: str) -> list[bytes]:
    """What is kept under this name, each element as its text."""
    return [xml.serialize(each) for each in ask(network, client, "get", query(f"<{name} xmlns='{namespace}'/>"))]


def same(*elements: str) -> list[bytes]:
    return [xml.serialize(xml.parse(each.encode())) for each in elements]


@pytest.mark.parametrize("to", ["", "romeo@montague.lit"])
def test_what_was_kept_is_found_by_every_resource(network: Network, to: str) -> None:
    romeo = network.client(ROMEO)  # section 2.3
    ask(network, romeo, "set", query(PREFS + ROOMS), to)
    romeo.close()
    phone = network.client("romeo@montague.lit/phone")
    assert kept(network, phone, "exodus", "exodus:prefs") == same(PREFS)
    assert kept(network, phone, "storage", "storage:bookmarks") == same(ROOMS)


def test_nothing_was_kept(network: Network) -> None:
    romeo, empty = network.client(ROMEO), "<exodus xmlns='exodus:prefs'/>"
    assert kept(network, romeo, "exodus", "exodus:prefs") == same(empty)


def test_several_elements_of_one_name_stay_together(network: Network) -> None:
    romeo = network.client(ROMEO)
    one, two = "<note xmlns='urn:n'>1</note>", "<note xmlns='urn:n'>2</note>"
    ask(network, romeo, "set", query(one + PREFS + two))
    assert kept(network, romeo, "note", "urn:n") == same(one, two)
    ask(network, romeo, "set", query(two))
    assert kept(network, romeo, "note", "urn:n") == same(two)
    assert kept(network, romeo, "exodus", "exodus:prefs") == same(PREFS)


@pytest.mark.parametrize(
    ("type", "content", "condition"),
    [
        ("get", "", "modify bad-request"),  # section 3
        ("get", PREFS + ROOMS, "modify bad-request"),
        ("get", "<exodus/>", "modify not-acceptable"),
        ("get", "<exodus xmlns=''/>", "modify not-acceptable"),
        ("set", "", "modify not-acceptable"),
        ("set", "<exodus/>", "modify not-acceptable"),
        ("set", PREFS + "<exodus xmlns=''/>", "modify not-acceptable"),
        ("set", f"<x xmlns='urn:x'>{'x' * MAX_BYTES}</x>", "modify policy-violation"),
    ],
)
def test_what_is_refused(network: Network, type: str, content: str, condition: str) -> None:
    romeo = network.client(ROMEO)
    assert refused(network, romeo, type, query(content)) == condition
    assert kept(network, romeo, "exodus", "exodus:prefs") == same("<exodus xmlns='exodus:prefs'/>")


@pytest.mark.parametrize("type", ["get", "set"])
@pytest.mark.parametrize("to", ["juliet@capulet.lit", "benvolio@montague.lit"])
def test_another_accounts(network: Network, type: str, to: str) -> None:
    owner = network.client(f"{to}/x")
    ask(network, owner, "set", query(PREFS))
    changed = PREFS.replace("Hamlet", "Macbeth")
    assert refused(network, network.client(ROMEO), type, query(changed), to) == "auth forbidden"
    assert kept(network, owner, "exodus", "exodus:prefs") == same(PREFS)


@pytest.mark.parametrize("limit", [Limit(3, 100_000), Limit(100, 250)])
def test_the_limit(limit: Limit) -> None:
    network = Network(limits=Limits(private=limit))
    romeo = network.client(ROMEO)
    for number in range(3):
        ask(network, romeo, "set", query(f"<x xmlns='urn:{number}'/>"))
    assert refused(network, romeo, "set", query(PREFS)) == "wait resource-constraint"
    ask(network, romeo, "set", query("<x xmlns='urn:0'>new</x>"))  # what replaces one still goes
    assert kept(network, romeo, "x", "urn:0") == same("<x xmlns='urn:0'>new</x>")


def test_a_removed_account_leaves_nothing(network: Network) -> None:
    romeo = network.client(ROMEO)
    ask(network, romeo, "set", query(PREFS))
    network.say(romeo, "<iq type='set' id='1'><query xmlns='jabber:iq:register'><remove/></query></iq>")
    assert kept(network, network.client(ROMEO), "exodus", "exodus:prefs") == same("<exodus xmlns='exodus:prefs'/>")
