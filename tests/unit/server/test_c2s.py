"""Client streams: time limits, back-pressure, slow readers, and what bad input gets (design section 9)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred

from cluster.server.c2s.client_stream import HEADER_TIMEOUT_S, LOGIN_TIMEOUT_S
from cluster.server.c2s.client_streams import REST_AFTER_S
from cluster.server.sessions.binder import MAX_SESSIONS
from cluster.store.memory import memory_store
from cluster.store.port import Store
from cluster.streams.connection import CLOSE_TIMEOUT_S
from cluster.xmpp.namespaces import CLIENT, STREAMS
from tests.client import END, Connection
from tests.conformance.rules import core
from tests.network import MONTAGUE, PASSWORD, Network

HEADER = f"<?xml version='1.0'?><stream:stream to='{MONTAGUE}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
PING = "<iq type='get' id='1' to='capulet.lit'><ping xmlns='urn:xmpp:ping'/></iq>"


def ended_with(connection: Connection, condition: str) -> bool:
    """The stream ended with this error, and the connection with it."""
    error = f"<stream:error><{condition} xmlns=".encode()
    return error in connection.output and connection.output.endswith(b"</stream:stream>") and connection.is_closed


# --- time limits


def test_no_header_within_ten_seconds(network: Network) -> None:
    connection = network.connect()
    network.say(connection, "<?xml version='1.0'?>")
    network.advance(HEADER_TIMEOUT_S - 0.5)
    assert connection.output == b""
    network.advance(0.5)
    assert ended_with(connection, "connection-timeout")
    assert connection.output.count(b"<stream:stream ") == 1  # RFC 6120 section 4.9.1.2


@core("4.9.3.4", "SHOULD", "connection-timeout is used only where the peer does not answer.")
@pytest.mark.parametrize("step", ["header", "auth"])
def test_no_login_within_sixty_seconds(network: Network, step: str) -> None:
    connection = network.connect()
    network.say(connection, HEADER)
    if step == "auth":
        network.advance(30)
        auth = (
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biwsbj1yb21lbyxyPWFiYw==</auth>"
        )
        network.say(connection, auth)
        assert b"<challenge" in connection.output
        network.advance(LOGIN_TIMEOUT_S - 30.5)
    else:
        network.advance(LOGIN_TIMEOUT_S - 0.5)
    assert not connection.is_closed
    network.advance(0.5)
    assert ended_with(connection, "connection-timeout")


def test_a_session_has_no_time_limit(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    network.advance(100_000)  # more than a day
    network.say(romeo, PING)
    assert romeo.take() == ["iq/result capulet.lit 1"]


def test_a_peer_that_is_told_of_an_error_ends_its_side_in_its_time(network: Network) -> None:
    """RFC 6120 section 4.4: the connection ends after both closing tags, so that nothing that was sent is cut off."""
    connection = network.connect()
    connection.answers_end = False
    network.say(connection, HEADER + "<message/>")
    assert connection.output.endswith(END)
    network.say(connection, "<message><body>" + "behind the end " * 1000)
    network.advance(CLOSE_TIMEOUT_S - 0.5)
    assert not connection.wire.disconnecting
    network.say(connection, "</body></message></stream:stream>")
    assert connection.is_closed
    assert connection.output.count(END) == 1


def test_a_peer_that_never_ends_its_side_is_hung_up_on(network: Network) -> None:
    connection = network.connect()
    connection.answers_end = False
    network.say(connection, HEADER + "<message/>")
    network.advance(CLOSE_TIMEOUT_S - 0.5)
    assert not connection.is_closed
    network.advance(0.5)
    assert connection.is_closed
    network.advance(REST_AFTER_S)  # the last look at its streams
    assert network.clock.getDelayedCalls() == []


def test_a_peer_whose_end_could_not_be_read_is_not_waited_for(network: Network) -> None:
    connection = network.connect()
    connection.answers_end = False
    network.say(connection, HEADER + "<message></presence>")
    assert connection.output.endswith(END)
    assert connection.is_closed


@pytest.mark.parametrize(("greeting", "is_waited_for"), [("<a/>", False), (HEADER + "<message/>", True)])
def test_a_peer_that_never_reads_is_cut_off(network: Network, greeting: str, is_waited_for: bool) -> None:
    connection = network.connect()
    connection.reading = False  # so that its last words keep the connection open
    network.say(connection, greeting)
    if is_waited_for:
        network.advance(CLOSE_TIMEOUT_S)
    network.advance(CLOSE_TIMEOUT_S - 0.5)
    assert not connection.is_closed
    network.advance(0.5)
    assert connection.is_closed


def test_nothing_is_left_when_a_connection_ends(network: Network) -> None:
    connections = [network.connect(), network.connect(), network.client("romeo@montague.lit/pda")]
    network.say(connections[1], HEADER)
    for connection in connections:
        connection.drop()
    network.settle()
    network.advance(REST_AFTER_S)  # the last look at its streams
    assert network.clock.getDelayedCalls() == []
    assert network.servers[MONTAGUE].streams.streams == {}
    assert network.servers[MONTAGUE].domain.accounts.online == {}


@core("4.9.3.20", "MUST", "Streams that a shutdown closes get system-shutdown.")
def test_a_regular_end(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    romeo.close()
    network.settle()
    assert romeo.output.endswith(b"</stream:stream>")  # RFC 6120 section 4.4
    assert romeo.is_closed
    assert network.servers[MONTAGUE].domain.accounts.online == {}


def test_shutting_down_ends_every_stream(network: Network) -> None:
    romeo, connection = network.client("romeo@montague.lit/pda"), network.connect()
    network.say(connection, HEADER)
    network.servers[MONTAGUE].streams.shut_down()
    network.settle()
    assert ended_with(romeo, "system-shutdown")
    assert ended_with(connection, "system-shutdown")


# --- bad input


@pytest.mark.parametrize(
    ("bad", "condition"),
    [
        ("<message>&</message>", "not-well-formed"),
        ("<message></presence>", "not-well-formed"),
        ("<message>&nbsp;</message>", "restricted-xml"),
        ("<!-- hello -->", "restricted-xml"),
        ("<?php ?>", "restricted-xml"),
        ("text", "bad-format"),
        ("<note xmlns='urn:x'/>", "unsupported-stanza-type"),
        ("<message from='juliet@capulet.lit'/>", "invalid-from"),
        ("<message from='benvolio@montague.lit/pda'/>", "invalid-from"),
        ("<message from='romeo@montague.lit/phone'/>", "invalid-from"),
        ("<presence from='@'/>", "invalid-from"),
        (f"<message><body>{'x' * 262_144}</body></message>", "policy-violation"),
        ("<message>" + "<a>" * 40, "policy-violation"),
    ],
)
def test_what_ends_a_stream(network: Network, bad: str, condition: str) -> None:
    other = network.online("benvolio@montague.lit/hall")
    romeo = network.client("romeo@montague.lit/pda")
    before = "<message to='benvolio@montague.lit' type='chat'><body>before</body></message>"
    network.say(romeo, before + bad + before)
    assert ended_with(romeo, condition)
    assert other.take() == ["message/chat romeo@montague.lit/pda: before"]


@pytest.mark.parametrize("claimed", ["romeo@montague.lit", "romeo@montague.lit/pda", "ROMEO@montague.lit/pda"])
def test_its_own_address_may_be_said(network: Network, claimed: str) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    network.say(romeo, f"<message from='{claimed}' to='{juliet.jid}'><body>hi</body></message>")
    assert juliet.take() == ["message romeo@montague.lit/pda: hi"]  # RFC 6120 section 8.1.2.1


@pytest.mark.parametrize("to", ["@capulet.lit", "juliet@", "juliet@capulet.lit/", "a b@capulet.lit", ""])
@pytest.mark.parametrize(
    "stanza", ["<message id='1' to='%s'/>", "<presence to='%s'/>", "<iq type='get' id='1' to='%s'/>"]
)
def test_a_malformed_address(network: Network, stanza: str, to: str) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, stanza % to + PING)
    malformed, answer = romeo.take()  # RFC 6120 section 8.3.3.8
    assert malformed.endswith("modify jid-malformed")
    assert answer == "iq/result capulet.lit 1"


# --- resources


def test_the_same_resource_again_ends_the_older_session(network: Network) -> None:
    juliet = network.online("juliet@capulet.lit/x")
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    older = network.online("romeo@montague.lit/pda")
    newer = network.client("romeo@montague.lit/pda")
    assert ended_with(older, "conflict")  # RFC 6120 section 7.7.2.2
    network.say(newer, "<presence/>")
    network.say(juliet, "<message to='romeo@montague.lit/pda'><body>which?</body></message>")
    assert newer.take()[-1] == "message juliet@capulet.lit/x: which?"


def test_a_server_chooses_a_resource(network: Network) -> None:
    one, two = network.client("romeo@montague.lit"), network.client("romeo@montague.lit")
    assert one.jid.bare == two.jid.bare
    assert one.jid.resourcepart != two.jid.resourcepart


def test_a_resource_that_is_none_is_refused(network: Network) -> None:
    network.account("romeo@montague.lit")
    romeo = network.login("romeo@montague.lit/pda", password="wrong")
    assert romeo.failed is not None
    assert romeo.failed.condition == "not-authorized"
    nobody = network.login("nobody@montague.lit/pda", password="wrong")
    assert nobody.failed is not None
    assert nobody.failed.condition == "not-authorized"


def test_an_account_has_so_many_resources(network: Network) -> None:
    for number in range(MAX_SESSIONS):
        network.client(f"romeo@montague.lit/{number}")
    refused = network.login("romeo@montague.lit/one-more")
    assert refused.failed is not None
    assert refused.failed.condition == "resource-constraint"  # RFC 6120 section 7.6.2.1
    network.client("romeo@montague.lit/0")  # in the place of the older one


class WaitingAccounts:
    """Lets a test hold up what the server asks of a store."""

    def __init__(self, store: Store) -> None:
        self.asked: list[Deferred[None]] | None = None
        self._accounts = store.accounts

    def __getattr__(self, name: str) -> object:
        return getattr(self._accounts, name)

    async def get(self, localpart: str) -> object:
        if self.asked is not None:
            self.asked.append(Deferred())
            await self.asked[-1]
        return await self._accounts.get(localpart)


def test_a_connection_that_dies_while_it_binds_leaves_no_session() -> None:
    store = memory_store()
    accounts = WaitingAccounts(store)
    network = Network(stores={MONTAGUE: replace(store, accounts=accounts)})
    network.account("romeo@montague.lit")
    accounts.asked = []
    romeo = network.login("romeo@montague.lit/pda")
    while len(accounts.asked) < 2:  # the login asks for its keys, the binding for the account
        accounts.asked[-1].callback(None)
        network.settle()
    romeo.drop()
    accounts.asked[-1].callback(None)
    network.settle()
    assert network.servers[MONTAGUE].domain.accounts.online == {}
    network.advance(REST_AFTER_S)  # the last look at its streams
    assert network.clock.getDelayedCalls() == []


@pytest.mark.parametrize(("password", "outcome"), [(PASSWORD, "success"), ("wrong", "not-authorized")])
@pytest.mark.parametrize("name", ["romeo", "nobody"])
def test_plain(network: Network, name: str, password: str, outcome: str) -> None:
    network.account("romeo@montague.lit")  # RFC 4616; on offer where the lab does without TLS
    connection = network.connect()
    token = b64encode(f"\0{name}\0{password}".encode()).decode()
    network.say(connection, f"{HEADER}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>")
    said = outcome if name == "romeo" else "not-authorized"
    assert f"<{said}" in connection.output.decode()
    assert not connection.is_closed
