"""A client that sends faster than its stanzas are safe, and one that does not read (design section 9)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.server.c2s.client_stream import MAX_UNSETTLED
from cluster.server.sessions.binder import MAX_SESSIONS
from cluster.server.sessions.session import MAX_UNSENT_BYTES_OF_ACCOUNT
from cluster.store.memory import memory_store
from cluster.streams.connection import CLOSE_TIMEOUT_S
from cluster.streams.outbox import MAX_UNSENT_BYTES
from tests.client import SOCKET_BYTES, Client
from tests.helpers import HEADER
from tests.network import CAPULET, MONTAGUE, Network
from tests.unit.server.waiting_offline import WaitingOffline
from tests.unit.xmpp.spoken import PLAIN, REGISTRATION, bind

PING = "<iq type='get' id='1' to='capulet.lit'><ping xmlns='urn:xmpp:ping'/></iq>"


def _slow_store() -> tuple[Network, WaitingOffline]:
    store, offline = memory_store(), WaitingOffline()
    return Network(stores={MONTAGUE: replace(store, offline=offline)}), offline


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


@pytest.mark.parametrize("question", [REGISTRATION, "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"])
def test_who_reads_no_answers_before_the_login_is_not_read_from(question: str) -> None:
    """Each answer is longer than its question, and nothing counts them."""
    network = Network(registration=True)
    connection = network.connect()
    connection.reading = False
    network.say(connection, HEADER)
    for _ in range(20):
        network.say(connection, question * 500)
    assert len(connection.wire.written) < 5 * SOCKET_BYTES
    connection.reading = True
    network.settle()
    assert connection.is_closed or connection.output.count(b"</iq>") == 20 * 500


def test_a_session_that_begins_while_nothing_is_read(network: Network) -> None:
    """What is for it waits in its outbox, not in the transport, as it does later."""
    network.account("romeo@montague.lit")
    connection, mercutio = network.connect(), network.client("mercutio@montague.lit/x")
    network.say(connection, HEADER + PLAIN)
    connection.reading = False
    connection.wire.write(b" " * SOCKET_BYTES)
    network.say(connection, HEADER + bind("pda") + "<presence/>")
    _flood(network, mercutio, "romeo@montague.lit/pda", MAX_UNSENT_BYTES // 4)
    assert len(connection.wire.written) < 2 * SOCKET_BYTES
    connection.reading = True
    network.settle()
    assert len(connection.output) > MAX_UNSENT_BYTES // 4


def test_a_slow_reader_gets_everything_in_order(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    juliet.reading = False
    count = _flood(network, romeo, str(juliet.jid), MAX_UNSENT_BYTES // 4)
    assert len(juliet.wire.written) < 2 * SOCKET_BYTES + 100_000
    juliet.reading = True
    network.settle()
    assert [line.split()[2] for line in juliet.take()] == [str(number) for number in range(count)]


def test_a_client_that_never_reads_is_cut_off_and_its_messages_are_kept(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    juliet.reading = False
    count = _flood(network, romeo, "juliet@capulet.lit", MAX_UNSENT_BYTES + 1_000_000)
    assert len(juliet.wire.written) < 2 * SOCKET_BYTES + 100_000  # what a transport holds, not what it was sent
    network.advance(CLOSE_TIMEOUT_S)
    network.advance(CLOSE_TIMEOUT_S)
    assert juliet.is_closed
    written = juliet.wire.written
    assert b"<policy-violation xmlns=" in written
    assert network.servers[CAPULET].domain.accounts.online == {}
    again = network.client("juliet@capulet.lit/x")
    network.say(again, "<presence/>")
    kept = [int(line.split()[2]) for line in again.take() if "message" in line]
    assert sorted(kept) == list(range(written.count(b"<message "), count))


@pytest.mark.parametrize("managed", ["", "<enable xmlns='urn:xmpp:sm:3'/>"])
def test_the_sessions_of_one_account_share_what_may_wait_for_them(network: Network, managed: str) -> None:
    sessions = [network.online(f"juliet@capulet.lit/{number}") for number in range(MAX_SESSIONS)]
    romeo = network.client("romeo@montague.lit/pda")
    first = sessions[0]
    if managed:
        network.say(first, managed)
    first.reading = False
    _flood(network, romeo, "juliet@capulet.lit/0", MAX_UNSENT_BYTES_OF_ACCOUNT // MAX_SESSIONS + 1_000_000)
    network.advance(CLOSE_TIMEOUT_S)
    network.advance(CLOSE_TIMEOUT_S)
    assert first.is_closed
    assert not any(each.is_closed for each in sessions[1:])


def test_what_several_clients_did_not_take_is_kept_once(network: Network) -> None:
    clients = [network.online(f"juliet@capulet.lit/{number}") for number in range(3)]
    romeo = network.client("romeo@montague.lit/pda")
    for client in clients:
        client.reading = False
        client.wire.write(b" " * (SOCKET_BYTES + 1))
    network.say(romeo, "<message to='juliet@capulet.lit' type='chat' id='m'><body>hi</body></message>")
    for client in clients:
        client.drop()
        network.settle()
    again = network.client("juliet@capulet.lit/y")
    network.say(again, "<presence/>")
    assert sum("message" in line for line in again.take()) == 1


def test_what_a_dead_connection_did_not_take_is_kept(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    juliet.reading = False
    count = _flood(network, romeo, "juliet@capulet.lit", 1_000_000)
    juliet.drop()
    network.settle()
    written = juliet.wire.written.count(b"<message ")
    again = network.client("juliet@capulet.lit/y")
    network.say(again, "<presence/>")
    kept = [int(line.split()[2]) for line in again.take() if "message" in line]
    assert kept == list(range(written, count))


def test_a_request_that_a_dead_connection_did_not_take_is_answered(network: Network) -> None:
    network.contact("juliet@capulet.lit", "romeo@montague.lit", subscription="from")
    juliet, romeo = network.online("juliet@capulet.lit/x"), network.client("romeo@montague.lit/pda")
    juliet.reading = False  # RFC 6120 section 8.2.3: the asker gets a reply
    _flood(network, romeo, "juliet@capulet.lit", 200_000)
    network.say(romeo, "<iq type='get' id='9' to='juliet@capulet.lit/x'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert romeo.take() == []
    juliet.drop()
    network.settle()
    assert "iq/error juliet@capulet.lit/x 9: cancel service-unavailable" in romeo.take()


def test_refused_stanzas_do_not_pile_up_for_a_client_that_never_reads(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    romeo.reading = False
    text = "x" * 100_000
    for _ in range(MAX_UNSENT_BYTES // len(text) + 10):
        network.say(romeo, f"<message to='@'><body>{text}</body></message>")
    network.advance(CLOSE_TIMEOUT_S)
    network.advance(CLOSE_TIMEOUT_S)
    assert romeo.is_closed
    assert b"<policy-violation xmlns=" in romeo.wire.written
