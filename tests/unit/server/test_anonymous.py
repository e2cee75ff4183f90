"""SASL ANONYMOUS (RFC 4505, XEP-0175): an address without an account, gone with its stream."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.host.disco import INFO
from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import BIND, CLIENT, SASL, STREAMS
from tests.client import Connection
from tests.network import MONTAGUE, Network, at_once, watched_log
from tests.unit.modules.asking import ask, iq

HEADER = f"<stream:stream to='{MONTAGUE}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
AUTH = f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'/>"
BIND_IT = f"<iq type='set' id='bind'><bind xmlns='{BIND}'><resource>x</resource></bind></iq>"
ROSTER = "<query xmlns='jabber:iq:roster'/>"


@pytest.fixture
def network() -> Iterator[Network]:
    with watched_log() as failures:
        yield Network(anonymous=True)
    assert not failures


class Guest:
    """A client without an account."""

    def __init__(self, network: Network) -> None:
        self.connection: Connection = network.connect()
        self._network = network
        for said in (HEADER, AUTH, HEADER):
            network.say(self.connection, said)
        bound = xml.parse(self.say(BIND_IT).encode())
        self.jid = Jid.parse(bound.findtext(f"{{{BIND}}}bind/{{{BIND}}}jid") or "")

    def say(self, data: str) -> str:
        """What comes back."""
        seen = len(self.connection.output)
        self._network.say(self.connection, data)
        return self.connection.output[seen:].decode()


def test_only_where_the_topology_has_it(network: Network) -> None:
    closed = Network()
    for each, offered in ((network, True), (closed, False)):
        connection = each.connect()
        each.say(connection, HEADER)
        assert (b"<mechanism>ANONYMOUS</mechanism>" in connection.output) is offered
        each.say(connection, AUTH)
        assert (b"<success" in connection.output) is offered
        assert (b"<invalid-mechanism/>" in connection.output) is not offered


def test_each_gets_an_address_of_its_own(network: Network) -> None:
    guests = [Guest(network) for _ in range(3)]
    assert len({guest.jid.bare for guest in guests}) == 3
    assert {guest.jid.domainpart for guest in guests} == {MONTAGUE}
    store = network.servers[MONTAGUE].store
    assert at_once(store.accounts.names()) == []


def test_it_speaks_with_others(network: Network) -> None:
    guest, juliet = Guest(network), network.online("juliet@capulet.lit/balcony")
    guest.say("<presence/><message to='juliet@capulet.lit' type='chat'><body>hi</body></message>")
    assert juliet.take() == [f"message/chat {guest.jid}: hi"]
    network.say(juliet, f"<message to='{guest.jid.bare}' type='chat'><body>hello</body></message>")
    assert b"<body>hello</body>" in guest.connection.output


@pytest.mark.parametrize(
    "sent",
    [
        iq("set", "<query xmlns='jabber:iq:roster'><item jid='juliet@capulet.lit'/></query>"),
        iq("set", "<vCard xmlns='vcard-temp'/>"),
        iq("set", "<query xmlns='jabber:iq:private'><x xmlns='urn:x'/></query>"),
        iq("set", "<block xmlns='urn:xmpp:blocking'><item jid='juliet@capulet.lit'/></block>"),
        iq("set", "<query xmlns='jabber:iq:register'><remove/></query>"),
        iq("set", "<query xmlns='jabber:iq:register'><remove/></query>", to=MONTAGUE),
        "<presence id='1' to='juliet@capulet.lit' type='subscribe'/>",
        "<presence id='1' to='juliet@capulet.lit' type='subscribed'/>",
    ],
)
def test_it_keeps_nothing(network: Network, sent: str) -> None:
    guest, juliet = Guest(network), network.online("juliet@capulet.lit/balcony")
    refused = guest.say(sent)  # XEP-0175 section 3
    assert "<not-allowed " in refused
    assert juliet.take() == []
    assert '<query xmlns="jabber:iq:roster"' in guest.say(iq("get", ROSTER))
    assert "<item" not in guest.say(iq("get", ROSTER))


def test_nobody_subscribes_to_it(network: Network) -> None:
    guest, juliet = Guest(network), network.online("juliet@capulet.lit/balcony")
    guest.say("<presence/>")
    network.say(juliet, f"<presence to='{guest.jid.bare}' type='subscribe'/>")
    assert b"subscribe" not in guest.connection.output
    assert at_once(network.servers[MONTAGUE].store.rosters.load(guest.jid.localpart)) == {}


def test_no_message_waits_for_it(network: Network) -> None:
    guest, juliet = Guest(network), network.online("juliet@capulet.lit/balcony")
    message = f"<message to='{guest.jid.bare}' type='chat'><body>hi</body></message>"
    network.say(juliet, message)  # it has sent no presence
    guest.connection.send("</stream:stream>")
    network.settle()
    network.say(juliet, message)
    assert juliet.take() == [f"message/error {guest.jid.bare}: cancel service-unavailable"] * 2
    store = network.servers[MONTAGUE].store
    assert at_once(store.offline.page(guest.jid.localpart)) == []
    assert at_once(store.documents.get(guest.jid.localpart, "jabber:iq:last")) is None
    assert network.servers[MONTAGUE].domain.accounts.online == {}


def test_it_is_known_as_anonymous(network: Network) -> None:
    guest, juliet = Guest(network), network.client("juliet@capulet.lit/balcony")
    query = ask(network, juliet, "get", f"<query xmlns='{INFO}'/>", str(guest.jid.bare))  # XEP-0175 section 5
    [identity] = query.findall(f"{{{INFO}}}identity")
    assert (identity.get("category"), identity.get("type")) == ("account", "anonymous")


def test_the_connection_is_lost_before_the_resource_is_bound(network: Network) -> None:
    connection = network.connect()
    for said in (HEADER, AUTH, HEADER):
        network.say(connection, said)
    connection.send(BIND_IT)
    connection.drop()
    network.settle()
    assert network.servers[MONTAGUE].domain.accounts.online == {}
