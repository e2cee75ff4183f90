"""The removal of an account is final (XEP-0077 section 3.2), whatever is under way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster.store.memory import MemoryAccounts, MemoryRosters, memory_store
from cluster.store.port import Account, ScramKeys, Store
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.namespaces import REGISTER
from tests.client import Client
from tests.network import MONTAGUE, Network, at_once, watched_log
from tests.unit.server.later_keys import LaterKeys
from tests.unit.server.waiting_offline import WaitingOffline

REMOVE = f"<iq type='set' id='gone'><query xmlns='{REGISTER}'><remove/></query></iq>"


def new_password(password: str, id: str = "new") -> str:
    fields = f"<username>romeo</username><password>{password}</password>"
    return f"<iq type='set' id='{id}'><query xmlns='{REGISTER}'>{fields}</query></iq>"


class WaitingAccounts:
    """A store that removes an account when a test says so."""

    def __init__(self, accounts: Any) -> None:
        self.deleted: Deferred[None] = Deferred()
        self._accounts = accounts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accounts, name)

    async def delete(self, localpart: str) -> None:
        await self.deleted
        await self._accounts.delete(localpart)


@pytest.fixture
def accounts() -> WaitingAccounts:
    return WaitingAccounts(MemoryAccounts(MemoryRosters()))


@pytest.fixture
def waiting(accounts: WaitingAccounts) -> Iterator[Network]:
    """A network in which removal takes its time."""
    store: Any = memory_store()
    accounts._accounts = store.accounts
    with watched_log() as failures:
        yield Network(stores={MONTAGUE: replace(store, accounts=accounts)})
    assert not failures


def condition(client: Client) -> str:
    assert client.failed is not None
    return client.failed.condition


def slow_passwords(network: Network) -> LaterKeys:
    network.derive = keys = LaterKeys()
    return keys


def store_of(network: Network) -> Store:
    return network.servers[MONTAGUE].store


# --- its password


def test_a_change_of_password_that_is_under_way_does_not_bring_it_back(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    keys = slow_passwords(network)
    network.say(romeo, new_password("mine"))
    network.say(romeo, REMOVE)
    assert "iq/result gone" in romeo.take()
    keys.work()
    network.settle()
    assert at_once(store_of(network).accounts.get("romeo")) is None


def test_nor_does_the_operators(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    keys = slow_passwords(network)
    results: list[Any] = []
    Deferred.fromCoroutine(network.servers[MONTAGUE].domain.credentials.change("romeo", "new")).addBoth(results.append)
    network.say(romeo, REMOVE)
    keys.work()
    assert results == [False]
    assert at_once(store_of(network).accounts.names()) == []


def test_it_does_not_change_the_password_of_the_next_account_of_its_name(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    keys = slow_passwords(network)
    network.say(romeo, new_password("of the old one"))
    network.say(romeo, REMOVE)
    anothers = Account("romeo", {"SCRAM-SHA-1": ScramKeys(b"salt", b"stored", b"server", 4096)})
    assert at_once(store_of(network).accounts.create(anothers))
    keys.work()
    assert at_once(store_of(network).accounts.get("romeo")) == anothers


def test_of_two_changes_of_password_at_once_one_is_made(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    keys = slow_passwords(network)
    network.say(romeo, new_password("first", "1") + new_password("second", "2"))
    keys.work()
    network.settle()
    assert romeo.take() == ["iq/result 1", "iq/error 2: wait resource-constraint"]
    network.say(romeo, new_password("third", "3"))
    keys.work()
    network.settle()
    assert romeo.take() == ["iq/result 3"]


# --- what is under way for it


def test_nobody_logs_in_meanwhile(waiting: Network, accounts: WaitingAccounts) -> None:
    romeo = waiting.client("romeo@montague.lit/pda")
    waiting.say(romeo, REMOVE)
    assert condition(waiting.login("romeo@montague.lit/other")) == "not-allowed"
    assert romeo.take() == []  # it is told when it is final
    accounts.deleted.callback(None)
    waiting.settle()
    assert romeo.take() == ["iq/result gone"]
    assert condition(romeo) == "not-authorized"
    assert condition(waiting.login("romeo@montague.lit/other")) == "not-authorized"


def test_what_its_clients_say_meanwhile_is_not_kept(waiting: Network, accounts: WaitingAccounts) -> None:
    romeo, other = waiting.online("romeo@montague.lit/pda"), waiting.online("romeo@montague.lit/home")
    juliet = waiting.online("juliet@capulet.lit/balcony")
    waiting.say(romeo, REMOVE)
    waiting.say(other, "<iq type='set' id='v'><vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard></iq>")
    waiting.say(other, "<presence to='juliet@capulet.lit' type='subscribe'/>")
    waiting.say(juliet, "<presence to='romeo@montague.lit' type='subscribe'/>")
    waiting.say(juliet, "<message to='romeo@montague.lit' type='chat' id='m'><body>hi</body></message>")
    accounts.deleted.callback(None)
    waiting.settle()
    store = store_of(waiting)
    assert at_once(store.documents.get("romeo", "vcard-temp")) is None
    assert at_once(store.documents.get("romeo", "jabber:iq:last")) is None
    assert at_once(store.rosters.load("romeo")) == {}
    assert at_once(store.offline.page("romeo")) == []
    assert "message/error romeo@montague.lit: cancel service-unavailable" in juliet.take()


def test_a_message_that_is_being_stored_leaves_nothing_in_the_archive() -> None:
    offline = WaitingOffline()
    network = Network(stores={MONTAGUE: replace(memory_store(), offline=offline)})
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    juliet, romeo = network.online("juliet@capulet.lit/balcony"), network.client("romeo@montague.lit/pda")
    network.say(juliet, "<message to='romeo@montague.lit' type='chat'><body>hi</body></message>")
    network.say(romeo, REMOVE)
    offline.waiting[0].callback(None)
    network.settle()
    assert at_once(store_of(network).archives.query(romeo.jid.bare, Query())).messages == []


def test_what_waits_behind_offline_messages_goes_back(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/balcony"), network.online("romeo@montague.lit/pda")
    account = network.servers[MONTAGUE].domain.accounts.online["romeo"]
    account.hold()
    network.say(juliet, "<message to='romeo@montague.lit' type='chat' id='m'><body>hi</body></message>")
    network.say(juliet, "<presence to='romeo@montague.lit' type='subscribe'/>")
    network.say(romeo, REMOVE)
    account.release()
    network.settle()
    assert "message/error romeo@montague.lit: cancel service-unavailable" in juliet.take()
    assert at_once(store_of(network).offline.page("romeo")) == []
    assert at_once(store_of(network).rosters.load("romeo")) == {}


def test_what_it_never_got_goes_back_to_its_sender(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/balcony"), network.online("romeo@montague.lit/pda")
    romeo.reading = False
    for number in range(30):
        body = f"<body>{'x' * 5_000}</body>"
        network.say(juliet, f"<message to='romeo@montague.lit/pda' type='chat' id='{number}'>{body}</message>")
    romeo.send(REMOVE)
    network.settle()
    returned = juliet.take()
    assert returned[-1] == "message/error romeo@montague.lit/pda: cancel service-unavailable"
    assert 0 < len(returned) < 30
    assert at_once(store_of(network).offline.page("romeo")) == []


# --- it fails


def test_where_the_storage_is_away_it_is_as_it_was() -> None:
    store: Any = memory_store()
    accounts = WaitingAccounts(store.accounts)
    network = Network(stores={MONTAGUE: replace(store, accounts=accounts)})
    romeo, juliet = network.online("romeo@montague.lit/pda"), network.online("juliet@capulet.lit/balcony")
    network.say(romeo, REMOVE)
    network.say(romeo, "<message to='juliet@capulet.lit' type='chat'><body>meanwhile</body></message>")
    network.say(romeo, "<iq type='set' id='v'><vCard xmlns='vcard-temp'><FN>Romeo</FN></vCard></iq>")
    accounts.deleted.errback(ConnectionLost())
    network.settle()
    assert romeo.take() == ["iq/error v: cancel not-allowed", "iq/error gone: wait resource-constraint"]
    assert juliet.take() == ["message/chat romeo@montague.lit/pda: meanwhile"]
    network.say(juliet, "<message to='romeo@montague.lit' type='chat'><body>still there?</body></message>")
    assert romeo.take() == ["message/chat juliet@capulet.lit/balcony: still there?"]
    assert network.login("romeo@montague.lit/home").failed is None
