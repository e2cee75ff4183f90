"""Logins on a real stream, as they end other than well: RFC 6120 sections 6.4 and 6.5."""

from __future__ import annotations

from dataclasses import replace

import pytest
from twisted.internet.error import ConnectionLost

from cluster.store.memory import memory_store
from cluster.store.port import Store
from cluster.xmpp.namespaces import CLIENT, SASL, STREAMS
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.login import MAX_LOGIN_TRIES
from tests.client import Connection
from tests.network import MONTAGUE, PASSWORD, Network, watched_log

HEADER = f"<stream:stream to='{MONTAGUE}' version='1.0' xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>"
ABORT = f"<abort xmlns='{SASL}'/>"


def auth(mechanism: str, message: str | None) -> str:
    text = "" if message is None else sasl.encode(message)
    return f"<auth xmlns='{SASL}' mechanism='{mechanism}'>{text}</auth>"


def response(message: str) -> str:
    return f"<response xmlns='{SASL}'>{sasl.encode(message)}</response>"


RIGHT, SCRAM = auth("PLAIN", f"\0romeo\0{PASSWORD}"), auth("SCRAM-SHA-256", "n,,n=romeo,r=abc")


def opened(network: Network) -> Connection:
    network.account("romeo@montague.lit")
    connection = network.connect()
    network.say(connection, HEADER)
    return connection


def answer(network: Network, connection: Connection, sent: str) -> str:
    seen = len(connection.output)
    network.say(connection, sent)
    return connection.output[seen:].decode()


def test_without_an_initial_response(network: Network) -> None:
    connection = opened(network)  # section 6.4.2; RFC 4422 section 5
    assert answer(network, connection, auth("PLAIN", None)) == f'<challenge xmlns="{SASL}"></challenge>'
    assert "<success" in answer(network, connection, response(f"\0romeo\0{PASSWORD}"))


def test_after_an_abort_the_next_try_is_good(network: Network) -> None:
    connection = opened(network)  # section 6.5.1
    for begun in (SCRAM, auth("PLAIN", None)):
        assert "<challenge" in answer(network, connection, begun)
        assert "<aborted/>" in answer(network, connection, ABORT)
    assert "<success" in answer(network, connection, RIGHT)


def test_five_tries(network: Network) -> None:
    connection = opened(network)  # section 6.4.5
    for _ in range(MAX_LOGIN_TRIES):
        assert "<not-authorized/>" in answer(network, connection, auth("PLAIN", "\0romeo\0wrong"))
    assert "<policy-violation " in answer(network, connection, RIGHT)
    assert connection.is_closed


class AwayAccounts:
    """A store that is away while a test says so."""

    def __init__(self, store: Store) -> None:
        self.away = False
        self._accounts = store.accounts

    def __getattr__(self, name: str) -> object:
        return getattr(self._accounts, name)

    async def get(self, localpart: str) -> object:
        if self.away:
            raise ConnectionLost
        return await self._accounts.get(localpart)


@pytest.mark.parametrize("login", [RIGHT, SCRAM])
def test_while_the_storage_is_away(login: str) -> None:
    store = memory_store()
    accounts = AwayAccounts(store)
    network = Network(stores={MONTAGUE: replace(store, accounts=accounts)})  # type: ignore[arg-type]
    connection = opened(network)
    accounts.away = True
    with watched_log() as failures:
        assert "<temporary-auth-failure/>" in answer(network, connection, login)  # section 6.5.11
    assert len(failures) == 1
    accounts.away = False
    assert "<success" in answer(network, connection, RIGHT)


def test_white_space_is_no_stanza(network: Network) -> None:
    romeo = network.online("romeo@montague.lit/pda")  # section 4.6.1: keeps the connection alive
    seen = len(romeo.output)
    for _ in range(3):
        network.say(romeo, " \n")
        network.advance(60)
    assert len(romeo.output) == seen
    network.say(romeo, " <presence> </presence>\t")
    assert romeo.take() == ["presence romeo@montague.lit/pda"]
    assert not romeo.is_closed
