"""What all gateways answer alike, and what reaches their own part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from tests.client import Client
from tests.network import watched_log
from tests.unit.components.plain import PHONE, SMS, GatewayNetwork, Registrations

INFO = "http://jabber.org/protocol/disco#info"
ROMEO = Jid.parse("romeo@montague.lit")


@pytest.fixture
def network() -> Iterator[GatewayNetwork]:
    """A gateway that everybody may use."""
    with watched_log() as failures:
        network = GatewayNetwork()
        network.start()
        yield network
    assert not failures


@pytest.fixture
def closed() -> Iterator[GatewayNetwork]:
    """A gateway that wants registrations."""
    with watched_log() as failures:
        network = GatewayNetwork(Registrations())
        network.start()
        yield network
    assert not failures


def ask(network: GatewayNetwork, client: Client, type: str, payload: str, to: str = SMS) -> Element:
    """The reply to a request."""
    client.stanzas.clear()
    network.say(client, f"<iq type='{type}' id='1' to='{to}'>{payload}</iq>")
    [reply] = [stanza for stanza in client.stanzas if stanza.get("id") == "1"]
    client.stanzas.remove(reply)
    assert reply.get("from") == to
    return reply


def result(network: GatewayNetwork, client: Client, type: str, payload: str, to: str = SMS) -> Element:
    reply = ask(network, client, type, payload, to)
    assert reply.get("type") == "result", xml.serialize(reply)
    return reply


def refusal(network: GatewayNetwork, client: Client, type: str, payload: str, to: str = SMS) -> str:
    reply = ask(network, client, type, payload, to)
    error = reply.find("{jabber:client}error")
    assert error is not None
    return xml.split(error[0].tag)[1]


# --- general answers


def test_what_the_gateway_is(network: GatewayNetwork) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    [query] = result(network, romeo, "get", f"<query xmlns='{INFO}'/>")
    assert dict(query[0].items()) == {"category": "gateway", "type": "sms", "name": "SMS"}
    assert [feature.get("var") for feature in query[1:]] == [
        "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items", "jabber:iq:gateway",
        "jabber:iq:last", "jabber:iq:version", r"jid\20escaping", "urn:xmpp:ping", "vcard-temp",
    ]  # fmt: skip


def test_registration_is_offered_where_it_is_wanted(closed: GatewayNetwork) -> None:
    romeo = closed.client("romeo@montague.lit/pda")
    [query] = result(closed, romeo, "get", f"<query xmlns='{INFO}'/>")
    assert "jabber:iq:register" in [feature.get("var") for feature in query]


def test_what_somebody_over_there_is(network: GatewayNetwork) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    [query] = result(network, romeo, "get", f"<query xmlns='{INFO}'/>", PHONE)
    assert dict(query[0].items()) == {"category": "client", "type": "sms", "name": "+39333"}
    assert "urn:x" in [feature.get("var") for feature in query]


@pytest.mark.parametrize("to", [SMS, PHONE])
def test_nobody_is_listed(network: GatewayNetwork, to: str) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    [query] = result(network, romeo, "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", to)
    assert len(query) == 0


def test_ping_version_last(network: GatewayNetwork) -> None:
    juliet = network.client("juliet@capulet.lit/balcony")
    assert len(result(network, juliet, "get", "<ping xmlns='urn:xmpp:ping'/>")) == 0
    [version] = result(network, juliet, "get", "<query xmlns='jabber:iq:version'/>")
    assert version[0].text == "xmpplab SMS gateway"
    network.advance(90.5)
    [last] = result(network, juliet, "get", "<query xmlns='jabber:iq:last'/>")
    assert last.get("seconds") == "90"


def test_vcards(network: GatewayNetwork) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    [card] = result(network, romeo, "get", "<vCard xmlns='vcard-temp'/>")
    assert card[0].text == "SMS gateway"
    [card] = result(network, romeo, "get", "<vCard xmlns='vcard-temp'/>", PHONE)
    assert card[0].text == "+39333"


def test_the_prompt(network: GatewayNetwork) -> None:
    """XEP-0100 section 6.3."""
    romeo = network.client("romeo@montague.lit/pda")
    [query] = result(network, romeo, "get", "<query xmlns='jabber:iq:gateway'/>")
    assert [child.text for child in query] == ["Whom do you want to write to?", "Phone number"]
    [query] = result(network, romeo, "set", prompted(" +39 (0)333 "))
    assert [child.text for child in query] == [PHONE]
    [query] = result(network, romeo, "set", prompted(r"+A@b\2F'c"))
    assert [child.text for child in query] == [rf"+a\40b\5c2f\27c@{SMS}"]


def prompted(address: str) -> str:
    return f"<query xmlns='jabber:iq:gateway'><prompt>{address}</prompt></query>"


@pytest.mark.parametrize(
    ("type", "payload", "to", "condition"),
    [
        ("set", prompted("nobody"), SMS, "item-not-found"),
        ("set", prompted(""), SMS, "not-acceptable"),
        ("set", prompted("+" + "9" * 2000), SMS, "not-acceptable"),
        ("get", f"<query xmlns='{INFO}' node='x'/>", SMS, "item-not-found"),
        ("get", f"<query xmlns='{INFO}'/>", f"nobody@{SMS}", "item-not-found"),
        ("get", "<vCard xmlns='vcard-temp'/>", f"nobody@{SMS}", "item-not-found"),
        ("set", "<vCard xmlns='vcard-temp'/>", SMS, "service-unavailable"),
        ("get", "<query xmlns='jabber:iq:register'/>", SMS, "service-unavailable"),
        ("get", "<ping xmlns='urn:xmpp:ping'/>", PHONE, "service-unavailable"),
        ("get", "<query xmlns='urn:unknown'/>", SMS, "service-unavailable"),
    ],
)
def test_refusals(network: GatewayNetwork, type: str, payload: str, to: str, condition: str) -> None:
    assert refusal(network, network.client("romeo@montague.lit/pda"), type, payload, to) == condition


# --- messages


def test_messages_reach_the_gateway(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, f"<message to='{PHONE}'/><message to='\\2b39@{SMS}'/>")
    assert network.gateway.addresses == ["+39333"]
    assert romeo.take() == [f"message/error \\2b39@{SMS}: cancel item-not-found"]


def test_what_the_gateway_refuses(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.gateway.failure = StanzaError(Condition.REMOTE_SERVER_TIMEOUT)
    network.say(romeo, f"<message to='{PHONE}'/>")
    assert romeo.take() == [f"message/error {PHONE}: wait remote-server-timeout"]
    network.say(romeo, f"<message to='{PHONE}' type='error'/>")
    assert romeo.take() == []
    assert len(network.gateway.messages) == 2


def test_a_fault_of_the_gateway() -> None:
    with watched_log() as failures:
        network = GatewayNetwork()
        network.start()
        romeo = network.online("romeo@montague.lit/pda")
        network.gateway.failure = ZeroDivisionError()
        network.say(romeo, f"<message to='{PHONE}'/>")
    assert [failure["log_failure"].type for failure in failures] == [ZeroDivisionError]
    assert romeo.take() == [f"message/error {PHONE}: cancel internal-server-error"]
    assert network.connection.is_joined


def test_redis_is_away(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.gateway.failure = ConnectionLost()
    network.say(romeo, f"<message to='{PHONE}'/>")
    assert romeo.take() == [f"message/error {PHONE}: wait resource-constraint"]


def test_the_gateway_itself_reads_nothing(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, f"<message to='{SMS}'/>")
    assert romeo.take() == [f"message/error {SMS}: cancel service-unavailable"]
    assert network.gateway.messages == []


# --- presence


@pytest.mark.parametrize("to", [SMS, PHONE])
def test_a_subscription(network: GatewayNetwork, to: str) -> None:
    """XEP-0100 sections 4.1 and 4.6, all the way through the user's server."""
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, f"<presence type='subscribe' to='{to}'/>")
    lines = romeo.take()
    assert f"push {to} to" in lines
    assert f"presence {to}" in lines
    item = network.item("romeo@montague.lit", to)
    assert item is not None
    assert item.subscription == "to"
    again = network.online("romeo@montague.lit/desk")  # its server sends a probe
    romeo.take()
    network.say(again, "<presence type='unavailable'/><presence/>")
    assert f"presence {to}" in again.take()


def test_a_subscription_to_nobody(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, f"<presence type='subscribe' to='nobody@{SMS}'/>")
    item = network.item("romeo@montague.lit", f"nobody@{SMS}")
    assert item is not None
    assert (item.subscription, item.pending_out) == ("none", False)


def test_the_end_of_a_subscription(network: GatewayNetwork) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, f"<presence type='subscribe' to='{PHONE}'/>")
    romeo.take()
    network.say(romeo, f"<presence type='unsubscribe' to='{PHONE}'/>")
    assert f"push {PHONE} none" in romeo.take()


@pytest.mark.parametrize("type", ["", "type='unavailable'", "type='error'", "type='subscribed'"])
def test_what_presence_means_nothing(network: GatewayNetwork, type: str) -> None:
    """Two gateways that answered each other's presence would never end."""
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, f"<presence {type} to='{PHONE}'/>")
    assert [line for line in romeo.take() if not line.startswith("push")] == []


# --- registration


def register(network: GatewayNetwork, client: Client, fields: str) -> Element:
    return ask(network, client, "set", f"<query xmlns='jabber:iq:register'>{fields}</query>")


def test_registration(closed: GatewayNetwork) -> None:
    """XEP-0100 sections 4.1 to 4.3."""
    romeo = closed.online("romeo@montague.lit/pda")
    form = "<query xmlns='jabber:iq:register'/>"
    [query] = result(closed, romeo, "get", form)
    assert [xml.split(child.tag)[1] for child in query] == ["instructions", "phone"]

    assert register(closed, romeo, "<phone>+39444</phone>").get("type") == "result"
    assert romeo.take() == [f"presence/subscribe {SMS}"]
    [query] = result(closed, romeo, "get", form)
    assert [xml.split(child.tag)[1] for child in query] == ["registered", "instructions", "phone"]
    assert query[2].text == "+39444"

    assert register(closed, romeo, "<phone>+39555</phone>").get("type") == "result"
    assert romeo.take() == []
    registrar = closed.gateway.registrar
    assert isinstance(registrar, Registrations)
    assert registrar.by_user == {ROMEO: {"phone": "+39555"}}

    assert register(closed, romeo, "<remove/>").get("type") == "result"
    assert registrar.by_user == {}
    assert f"presence/unavailable {SMS}" in romeo.take()


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        ("", "not-acceptable"),
        ("<phone/>", "not-acceptable"),
        ("<phone>39</phone>", "not-acceptable"),
        ("<remove/>", "registration-required"),
    ],
)
def test_bad_registrations(closed: GatewayNetwork, fields: str, condition: str) -> None:
    romeo = closed.client("romeo@montague.lit/pda")
    assert refusal(closed, romeo, "set", f"<query xmlns='jabber:iq:register'>{fields}</query>") == condition


def test_strangers(closed: GatewayNetwork) -> None:
    romeo = closed.online("romeo@montague.lit/pda")
    closed.say(romeo, f"<message to='{PHONE}'/>")
    assert romeo.take() == [f"message/error {PHONE}: auth registration-required"]
    assert closed.gateway.messages == []
    closed.say(romeo, f"<presence type='subscribe' to='{PHONE}'/>")
    item = closed.item("romeo@montague.lit", PHONE)
    assert item is not None
    assert not item.pending_out


def test_registered_users_see_the_gateway_come_and_go() -> None:
    """XEP-0100 section 8."""
    registrations = Registrations()
    registrations.by_user[ROMEO] = {"phone": "+39444"}
    network = GatewayNetwork(registrations)
    network.contact("romeo@montague.lit", SMS, subscription="both")
    romeo = network.online("romeo@montague.lit/pda")
    network.start()
    assert f"presence {SMS}" in romeo.take()
    Deferred.fromCoroutine(network.runtime.stop())
    network.settle()
    assert romeo.take() == [f"presence/unavailable {SMS}"]


def test_a_refusal_is_a_hop(closed: GatewayNetwork) -> None:
    """Also of a message that is not followed: whoever watches sees each bounce."""
    romeo = closed.online("romeo@montague.lit/pda")
    for probe in ("<probe xmlns='urn:xmpplab:trace:0' id='t1'/>", ""):
        closed.hops.clear()
        closed.say(romeo, f"<message to='{PHONE}'><body>hi</body>{probe}</message>")
        [hop] = [hop for hop in closed.hops if hop.event == "bounced"]
        assert (hop.node, hop.kind, hop.to) == ("g1", "message", PHONE)
        assert hop.detail.startswith("registration-required")
        assert (hop.trace_id == "t1") is bool(probe)
