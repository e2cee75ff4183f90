"""Logins on a real stream, as they end other than well: RFC 6120 sections 6.4 and 6.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost

from cluster.server.im.accounts import Accounts
from cluster.store.limits import Limits
from cluster.store.memory import memory_store
from cluster.xmpp.namespaces import CLIENT, SASL, STREAMS
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.login import MAX_LOGIN_TRIES
from tests.client import Connection
from tests.network import MONTAGUE, PASSWORD, Network, watched_log
from tests.phone import phone
from tests.unit.xmpp.spoken import bind

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


class Away:
    """A part of a store that nobody can read while a test says so."""

    def __init__(self, part: Any) -> None:
        self.away = False
        self._part = part

    def __getattr__(self, name: str) -> object:
        return getattr(self._part, name)

    async def get(self, localpart: str, *what: str) -> object:
        if self.away:
            raise ConnectionLost
        return await self._part.get(localpart, *what)

    async def several(self, localpart: str, names: Sequence[str]) -> object:
        if self.away:
            raise ConnectionLost
        return await self._part.several(localpart, names)


@pytest.mark.parametrize("login", [RIGHT, SCRAM])
def test_while_the_storage_is_away(login: str) -> None:
    store = memory_store()
    accounts: Any = Away(store.accounts)
    network = Network(stores={MONTAGUE: replace(store, accounts=accounts)})
    connection = opened(network)
    accounts.away = True
    with watched_log() as failures:
        assert "<temporary-auth-failure/>" in answer(network, connection, login)  # section 6.5.11
    assert failures == [], "the connection that is lost is logged once, and not for each login"
    accounts.away = False
    assert "<success" in answer(network, connection, RIGHT)


def test_a_resource_while_the_storage_is_away() -> None:
    """The client may ask for it again on the same stream: RFC 6120 section 7.7.2.1."""
    store = memory_store()
    documents: Any = Away(store.documents)
    network = Network(stores={MONTAGUE: replace(store, documents=documents)})
    romeo = phone(network, "romeo@montague.lit/pda")
    documents.away = True
    with watched_log() as failures:
        network.say(romeo, bind("pda"))
    assert romeo.take() == ["iq/error b1: wait resource-constraint"]
    assert failures == [], "the connection that is lost is logged once, and not for each login"
    documents.away = False
    network.say(romeo, bind("pda"))
    assert romeo.take() == ["iq/result b1: bind"]


def test_a_request_while_the_storage_is_away() -> None:
    store = memory_store()
    documents: Any = Away(store.documents)
    network = Network(stores={MONTAGUE: replace(store, documents=documents)})
    romeo = network.online("romeo@montague.lit/pda")
    documents.away = True
    with watched_log() as failures:
        network.say(romeo, "<iq type='get' id='1'><vCard xmlns='vcard-temp'/></iq>")
    assert [line.rpartition(": ")[2] for line in romeo.take()] == ["wait resource-constraint"]
    assert failures == []


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


class Unanswering:
    """A store that is asked, and does not answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get(self, localpart: str) -> None:
        self.asked.append(localpart)
        await Deferred()

    load = get

    async def several(self, localpart: str, names: Sequence[str]) -> None:
        await self.get(localpart)


def test_all_that_is_stored_of_an_account_is_asked_for_at_once() -> None:
    stores: Any = {name: Unanswering() for name in ("accounts", "rosters", "documents")}
    store = replace(memory_store(), **stores)
    loaded = Accounts(MONTAGUE, store, Limits(), ["vcard-temp"], lambda account, documents: succeed(None)).load("romeo")
    assert [each.asked for each in stores.values()] == [["romeo"]] * 3
    assert not loaded.called
