"""Client streams: time limits, back-pressure, slow readers, and what bad input gets (design section 9)."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from cluster.server.c2s import CLOSE_TIMEOUT_S, HEADER_TIMEOUT_S, LOGIN_TIMEOUT_S, MAX_SESSIONS, MAX_UNSETTLED
from cluster.server.session import MAX_UNSENT_BYTES
from cluster.store.memory import MemoryOffline, memory_store
from cluster.store.port import OfflineMessage, Store
from cluster.xmpp.namespaces import CLIENT, STREAMS
from tests.network import CAPULET, MONTAGUE, SOCKET_BYTES, Client, Connection, Network

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
    network.advance(1_000_000)
    network.say(romeo, PING)
    assert romeo.take() == ["iq/result capulet.lit 1"]


@pytest.mark.parametrize("greeting", ["<a/>", HEADER + "<message/>"])
def test_a_peer_that_never_closes_is_cut_off(network: Network, greeting: str) -> None:
    connection = network.connect()
    connection.reading = False  # so that its last words keep the connection open
    network.say(connection, greeting)
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
    assert network.clock.getDelayedCalls() == []
    assert network.servers[MONTAGUE].streams.streams == set()
    assert network.servers[MONTAGUE].domain.accounts.online == {}


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
    network = Network(stores={MONTAGUE: Store(accounts, store.rosters, store.offline)})  # type: ignore[arg-type]
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
    assert network.clock.getDelayedCalls() == []


# --- back-pressure


class WaitingOffline(MemoryOffline):
    """Keeps messages only when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Deferred[None]] = []

    async def push(self, localpart: str, message: OfflineMessage, limit: int) -> bool:
        self.waiting.append(Deferred())
        await self.waiting[-1]
        return await super().push(localpart, message, limit)


def _slow_store() -> tuple[Network, WaitingOffline]:
    store, offline = memory_store(), WaitingOffline()
    return Network(stores={MONTAGUE: Store(store.accounts, store.rosters, offline)}), offline


def test_a_flood_is_paused_until_it_is_safe() -> None:
    network, offline = _slow_store()
    network.account("benvolio@montague.lit")
    romeo, other = network.client("romeo@montague.lit/pda"), network.client("mercutio@montague.lit/x")
    text = "x" * (SOCKET_BYTES // MAX_UNSETTLED // 2)
    flood = [f"<message to='benvolio@montague.lit'><body>{n} {text}</body></message>" for n in range(200)]
    network.say(romeo, "".join(flood))
    assert romeo.wire.producerState == "paused"
    taken = len(offline.waiting)
    assert MAX_UNSETTLED <= taken < 3 * MAX_UNSETTLED  # what one read of the socket brought, not more
    network.say(other, PING)
    assert other.take() == ["iq/result capulet.lit 1"]
    for waiting in offline.waiting[: taken - MAX_UNSETTLED]:
        waiting.callback(None)
    network.settle()
    assert len(offline.waiting) == taken
    offline.waiting[taken - MAX_UNSETTLED].callback(None)
    network.settle()
    assert len(offline.waiting) > taken
    done = taken - MAX_UNSETTLED + 1
    while done < len(offline.waiting):
        offline.waiting[done].callback(None)
        done += 1
        network.settle()
    assert romeo.wire.producerState == "producing"
    assert done == 200
    benvolio = network.client("benvolio@montague.lit/x")
    network.say(benvolio, "<presence/>")
    assert [line.split()[2] for line in benvolio.take()[1:]] == [str(n) for n in range(200)]


def test_batches_over_a_link_count_once(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    network.say(romeo, "".join(f"<message to='{juliet.jid}'><body>{n}</body></message>" for n in range(1000)))
    assert len(juliet.take()) == 1000
    assert romeo.wire.producerState == "producing"


# --- slow readers


def _flood(network: Network, sender: Client, to: str, bytes_: int) -> int:
    """Send so many bytes of messages; how many messages that are."""
    text = "x" * 100_000
    count = bytes_ // len(text) + 1
    for number in range(count):
        network.say(sender, f"<message to='{to}' type='chat'><body>{number} {text}</body></message>")
    return count


def test_a_slow_reader_gets_everything_in_order(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    juliet.reading = False
    count = _flood(network, romeo, str(juliet.jid), MAX_UNSENT_BYTES // 4)
    assert juliet.wire.io.tell() < 2 * SOCKET_BYTES + 100_000
    juliet.reading = True
    network.settle()
    assert [line.split()[2] for line in juliet.take()] == [str(number) for number in range(count)]


def test_a_client_that_never_reads_is_cut_off_and_its_messages_are_kept(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    juliet.reading = False
    count = _flood(network, romeo, "juliet@capulet.lit", MAX_UNSENT_BYTES + 1_000_000)
    assert juliet.wire.io.tell() < 2 * SOCKET_BYTES + 100_000  # what a transport holds, not what it was sent
    network.advance(CLOSE_TIMEOUT_S)
    assert juliet.is_closed
    written = juliet.wire.value()
    assert b"<policy-violation xmlns=" in written
    assert network.servers[CAPULET].domain.accounts.online == {}
    again = network.client("juliet@capulet.lit/x")
    network.say(again, "<presence/>")
    kept = [int(line.split()[2]) for line in again.take() if "message" in line]
    assert sorted(kept) == list(range(written.count(b"<message "), count))


def test_what_a_dead_connection_did_not_take_is_kept(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    juliet.reading = False
    count = _flood(network, romeo, "juliet@capulet.lit", 1_000_000)
    juliet.drop()
    network.settle()
    written = juliet.wire.value().count(b"<message ")
    again = network.client("juliet@capulet.lit/y")
    network.say(again, "<presence/>")
    kept = [int(line.split()[2]) for line in again.take() if "message" in line]
    assert kept == list(range(written, count))


def test_a_request_that_a_dead_connection_did_not_take_is_answered(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    juliet.reading = False  # RFC 6120 section 8.2.3: the asker gets a reply
    _flood(network, romeo, "juliet@capulet.lit", 200_000)
    network.say(romeo, "<iq type='get' id='9' to='juliet@capulet.lit/x'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert romeo.take() == []
    juliet.drop()
    network.settle()
    assert romeo.take() == ["iq/error juliet@capulet.lit/x 9: cancel service-unavailable"]


def test_refused_stanzas_do_not_pile_up_for_a_client_that_never_reads(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    romeo.reading = False
    text = "x" * 100_000
    for _ in range(MAX_UNSENT_BYTES // len(text) + 10):
        network.say(romeo, f"<message to='@'><body>{text}</body></message>")
    network.advance(CLOSE_TIMEOUT_S)
    assert romeo.is_closed
    assert b"<policy-violation xmlns=" in romeo.wire.value()
