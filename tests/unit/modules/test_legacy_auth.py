"""Non-SASL authentication (XEP-0078), where the topology asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cluster import modules
from cluster.store.memory import memory_store
from cluster.xmpp.namespaces import CLIENT, LEGACY_AUTH, SASL, STREAMS
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.login import MAX_LOGIN_TRIES
from tests.client import Connection
from tests.network import MONTAGUE, PASSWORD, Network, watched_log
from tests.unit.server.test_c2s import WaitingAccounts

HEADER = f"<stream:stream to='{MONTAGUE}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
FEATURE = b'<auth xmlns="http://jabber.org/features/iq-auth"/>'


def iq(type: str, content: str = "", id: str = "auth") -> str:
    return f"<iq type='{type}' id='{id}' to='{MONTAGUE}'><query xmlns='{LEGACY_AUTH}'>{content}</query></iq>"


def login(name: str = "Romeo", password: str = PASSWORD, resource: str = "pda") -> str:
    fields = {"username": name, "password": password, "resource": resource}
    return iq("set", "".join(f"<{field}>{text}</{field}>" for field, text in fields.items() if text))


@pytest.fixture
def network() -> Iterator[Network]:
    with watched_log() as failures:
        network = Network(loaded=modules.load(modules.names()))
        network.account("romeo@montague.lit")
        yield network
    assert not failures


def opened(network: Network) -> Connection:
    connection = network.connect()
    network.say(connection, HEADER)
    return connection


def answer(network: Network, connection: Connection, sent: str) -> str:
    seen = len(connection.output)
    network.say(connection, sent)
    return connection.output[seen:].decode()


def test_it_is_not_loaded_unless_it_is_named() -> None:
    assert "legacy_auth" in modules.names()
    assert "legacy_auth" not in modules.defaults()
    assert FEATURE not in opened(Network()).output


def test_a_login(network: Network) -> None:
    connection = opened(network)
    assert FEATURE in connection.output  # section 4
    fields = answer(network, connection, iq("get", "<username>nobody</username>"))
    assert "<username/><password/><resource/>" in fields  # section 3.1; no <digest/>
    assert answer(network, connection, login()) == '<iq id="auth" type="result"/>'
    benvolio = network.online("benvolio@montague.lit/x")
    network.say(connection, "<presence/>")
    network.say(connection, "<message to='benvolio@montague.lit/x'><body>hi</body></message>")
    assert benvolio.take() == ["message romeo@montague.lit/pda: hi"]
    network.say(benvolio, "<message to='romeo@montague.lit/pda'><body>hello</body></message>")
    assert b"<body>hello</body>" in connection.output


def test_the_resource_of_an_older_session_is_taken_over(network: Network) -> None:
    older, connection = network.client("romeo@montague.lit/pda"), opened(network)
    assert 'type="result"' in answer(network, connection, login())
    assert older.failed is not None
    assert older.failed.condition == "conflict"


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (login(password="wrong"), "not-authorized"),
        (login(name="nobody"), "not-authorized"),
        (login(name="a b"), "not-authorized"),
        (login(name=""), "not-acceptable"),
        (login(password=""), "not-acceptable"),
        (login(resource=""), "not-acceptable"),
        (iq("set", "<username>romeo</username><digest>48fc</digest><resource>x</resource>"), "not-acceptable"),
    ],
)
def test_a_refused_login(network: Network, sent: str, condition: str) -> None:
    connection = opened(network)
    refused = answer(network, connection, sent)
    assert f"<{condition} " in refused
    assert LEGACY_AUTH not in refused  # section 3.1: what was sent does not come back
    assert 'type="result"' in answer(network, connection, login())


def test_too_many_tries(network: Network) -> None:
    connection = opened(network)
    for _ in range(MAX_LOGIN_TRIES):
        assert "<not-authorized " in answer(network, connection, login(password="wrong"))
    assert "<policy-violation " in answer(network, connection, login())
    assert connection.is_closed


def test_not_after_a_sasl_login_failed(network: Network) -> None:
    connection = opened(network)  # sections 3.1 and 7
    wrong = sasl.encode("\0romeo\0wrong")
    network.say(connection, f"<auth xmlns='{SASL}' mechanism='PLAIN'>{wrong}</auth>")
    assert b"<not-authorized/>" in connection.output
    assert "<policy-violation " in answer(network, connection, login())


def test_no_password_in_clear_where_there_is_tls(network: Network) -> None:
    network = Network(loaded=modules.load(modules.names()), registration=True, tls="optional")
    network.account("romeo@montague.lit")
    connection = opened(network)
    assert FEATURE not in connection.output
    for sent in (iq("get"), login()):
        assert "<service-unavailable " in answer(network, connection, sent)


def test_a_lost_connection_binds_nothing() -> None:
    store = memory_store()
    accounts = WaitingAccounts(store)
    waiting = replace(store, accounts=accounts)
    network = Network(loaded=modules.load(modules.names()), stores={MONTAGUE: waiting})
    network.account("romeo@montague.lit")
    connection = opened(network)
    accounts.asked = []
    network.say(connection, login())
    accounts.asked[0].callback(None)  # the password is right; the resource is being bound
    assert len(accounts.asked) == 2
    connection.drop()
    accounts.asked[1].callback(None)
    network.settle()
    assert network.servers[MONTAGUE].domain.accounts.online == {}
