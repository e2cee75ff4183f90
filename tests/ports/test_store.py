"""One contract for every store."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from cluster.base.turn import Turn
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.store.limits import Limit
from cluster.store.memory import memory_store
from cluster.store.port import Account, OfflineMessage, RosterItem, ScramKeys, Store
from cluster.store.redis import redis_store
from cluster.store.tokens import ClientTokens, Token
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from tests.harness import ReactorThread, Valkey

Scenario = Callable[[Store], Coroutine[Deferred[Any], Any, None]]
Check = Callable[[Scenario], None]


@pytest.fixture(params=["memory", "redis"])
def check(request: pytest.FixtureRequest) -> Iterator[Check]:
    """Runs a scenario on an empty store."""
    if request.param == "memory":
        yield lambda scenario: _run_at_once(scenario(memory_store()))
        return
    thread: ReactorThread = request.getfixturevalue("reactor_thread")
    valkey: Valkey = request.getfixturevalue("valkey")
    keys: Keys = request.getfixturevalue("keys")

    async def with_redis(scenario: Scenario) -> None:
        client = RedisClient(thread.reactor, RedisUrl.parse(valkey.url), lambda: 0.0)
        await client.connect()
        try:
            await scenario(redis_store(client, keys, "montague.lit", Turn(thread.reactor)))
            await _nothing_of_another_domain(redis_store(client, keys, "capulet.lit", Turn(thread.reactor)))
        finally:
            await client.close()

    yield lambda scenario: thread.run(lambda: with_redis(scenario))


def _run_at_once(scenario: Coroutine[Deferred[Any], Any, None]) -> None:
    results: list[Any] = []
    Deferred.fromCoroutine(scenario).addBoth(results.append)
    assert results, "the memory store made somebody wait"
    if results[0] is not None:
        results[0].raiseException()


async def _nothing_of_another_domain(store: Store) -> None:
    assert await store.accounts.names() == []
    assert await store.rosters.load("romeo") == {}
    assert await store.offline.page("romeo") == []
    assert await store.documents.get("romeo", "vcard-temp") is None


MUCH = Limit(1_000, 10_000_000)


def account(localpart: str, salt: bytes = b"\x00salt") -> Account:
    return Account(localpart, {"SCRAM-SHA-256": ScramKeys(salt, b"stored", b"server", 4096)})


def message(text: str) -> OfflineMessage:
    raw = f"<message><body>{text}</body></message>".encode()
    juliet = Jid.parse("juliet@capulet.lit")
    stanza = Stanza("message", Jid.parse("romeo@montague.lit"), juliet, None, None, ("jabber:client body",), raw)
    return OfflineMessage(stanza, 1_700_000_000.25)


def test_an_account_is_replaced_only_as_it_is_known(check: Check) -> None:
    async def scenario(store: Store) -> None:
        assert await store.accounts.get("romeo") is None
        first, second, third = account("romeo"), account("romeo", b"second"), account("romeo", b"third")
        await store.accounts.create(first)
        assert await store.accounts.get("romeo") == first
        assert await store.accounts.replace(first, second) is True
        assert await store.accounts.replace(first, third) is False
        assert await store.accounts.get("romeo") == second
        await store.accounts.delete("romeo")
        assert await store.accounts.replace(second, third) is False
        assert await store.accounts.get("romeo") is None

    check(scenario)


def test_create_does_not_touch_an_account_that_exists(check: Check) -> None:
    async def scenario(store: Store) -> None:
        first = account("romeo", b"first")
        assert await store.accounts.create(first) is True
        assert await store.accounts.create(account("romeo", b"second")) is False
        assert await store.accounts.create(first) is False
        assert await store.accounts.get("romeo") == account("romeo", b"first")

    check(scenario)


def test_names_are_sorted_and_forget_the_deleted(check: Check) -> None:
    async def scenario(store: Store) -> None:
        for localpart in ("romeo", "benvolio", "ábrahám", "mercutio"):
            await store.accounts.create(account(localpart))
        await store.accounts.delete("mercutio")
        await store.accounts.delete("nobody")
        assert await store.accounts.names() == ["benvolio", "romeo", "ábrahám"]

    check(scenario)


def test_a_roster_item_keeps_everything(check: Check) -> None:
    juliet, nurse = Jid.parse("juliet@capulet.lit"), Jid.parse("nurse@capulet.lit")
    asked = make("presence", from_=nurse, to=Jid.parse("romeo@montague.lit"), type="subscribe")
    items = {
        juliet: RosterItem(juliet, "Juliet", ("Friends", "Verona"), "both", True, None, True, True),
        nurse: RosterItem(nurse, pending_in=asked),
    }

    async def scenario(store: Store) -> None:
        for item in items.values():
            await store.rosters.put("romeo", item)
        assert await store.rosters.load("romeo") == items
        assert await store.rosters.load("benvolio") == {}

    check(scenario)


def test_what_was_loaded_is_a_copy(check: Check) -> None:
    juliet = Jid.parse("juliet@capulet.lit")

    async def scenario(store: Store) -> None:
        await store.rosters.put("romeo", RosterItem(juliet))
        (await store.rosters.load("romeo")).clear()
        assert list(await store.rosters.load("romeo")) == [juliet]

    check(scenario)


def test_contacts_are_replaced_removed_and_forgotten(check: Check) -> None:
    juliet, nurse = Jid.parse("juliet@capulet.lit"), Jid.parse("nurse@capulet.lit")

    async def scenario(store: Store) -> None:
        rosters = store.rosters
        for item in (RosterItem(juliet), RosterItem(nurse), RosterItem(juliet, "Juliet")):
            await rosters.put("romeo", item)
        await rosters.put("benvolio", RosterItem(juliet))
        await rosters.remove("romeo", nurse)
        await rosters.remove("romeo", nurse)
        assert await rosters.load("romeo") == {juliet: RosterItem(juliet, "Juliet")}
        assert await rosters.load("benvolio") == {juliet: RosterItem(juliet)}

    check(scenario)


def test_messages_wait_in_order_until_they_are_dropped(check: Check) -> None:
    async def scenario(store: Store) -> None:
        offline = store.offline
        for text in "abcd":
            assert await offline.push("romeo", message(text), MUCH)
        assert await offline.page("romeo") == [message(text) for text in "abcd"]
        assert await offline.push("romeo", message("older"), MUCH, first=True)
        assert await offline.page("romeo") == [message(text) for text in ("older", *"abcd")]
        await offline.drop("romeo", 1)
        await offline.drop("romeo", 3)
        assert await offline.page("romeo") == [message("d")]
        await offline.drop("romeo", 3)
        assert await offline.page("romeo") == []
        await offline.drop("romeo", 1)

    check(scenario)


def test_beyond_the_limit_nothing_is_kept(check: Check) -> None:
    async def scenario(store: Store) -> None:
        offline = store.offline
        pushes = [Deferred.fromCoroutine(offline.push("romeo", message(text), Limit(2, 10_000))) for text in "abc"]
        assert await gatherResults(pushes) == [True, True, False]
        assert await offline.page("romeo") == [message("a"), message("b")]
        await offline.drop("romeo", 1)
        assert await offline.push("romeo", message("d"), Limit(2, 10_000))

    check(scenario)


def test_what_waits_for_all_accounts_together_is_bounded(check: Check) -> None:
    bounds, big = (Limit(100, 100_000), 30_000), "x" * 10_000

    async def scenario(store: Store) -> None:
        offline = store.offline
        names = ("romeo", "juliet", "nurse")
        assert [await offline.push(name, message(big), *bounds) for name in names] == [True, True, False]
        assert await offline.push("nurse", message("small"), *bounds)
        await offline.drop("romeo", 1)
        assert await offline.push("nurse", message(big), *bounds)
        assert not await offline.push("romeo", message(big), *bounds)
        await store.accounts.delete("nurse")
        assert await offline.push("romeo", message(big), *bounds)
        assert not await offline.push("nurse", message(big), *bounds)

    check(scenario)


def test_beyond_the_limit_in_bytes_nothing_is_kept(check: Check) -> None:
    limit = Limit(100, 25_000)
    big = "x" * 10_000

    async def scenario(store: Store) -> None:
        offline = store.offline
        assert [await offline.push("romeo", message(text), limit) for text in (big, big, big, "a")] == [
            True, True, False, True,
        ]  # fmt: skip
        await offline.drop("romeo", 1)
        assert [await offline.push("romeo", message(text), limit) for text in (big, big)] == [True, False]
        await offline.drop("romeo", 3)
        assert [await offline.push("romeo", message(text), limit) for text in (big, big, big)] == [True, True, False]
        await store.accounts.delete("romeo")
        assert await offline.push("romeo", message("x" * 20_000), limit)

    check(scenario)


def test_what_waits_comes_in_pages(check: Check) -> None:
    texts = [str(number) for number in range(250)] + ["x" * 200_000, "y" * 200_000, "z" * 300_000, "end"]

    async def scenario(store: Store) -> None:
        for text in texts:
            assert await store.offline.push("romeo", message(text), MUCH)
        lengths = []
        found: list[OfflineMessage] = []
        while page := await store.offline.page("romeo"):
            lengths.append(len(page))
            found += page
            await store.offline.drop("romeo", len(page))
        assert found == [message(text) for text in texts]
        assert lengths == [100, 100, 52, 1, 1]  # a page ends with what goes beyond its bytes

    check(scenario)


def test_documents_are_kept_by_account_and_name(check: Check) -> None:
    async def scenario(store: Store) -> None:
        documents = store.documents
        assert await documents.get("romeo", "vcard-temp") is None
        for localpart, name, text in (
            ("romeo", "vcard-temp", b"old"),
            ("romeo", "vcard-temp", b"<vCard>\xc3\xa9\x00</vCard>"),
            ("romeo", "private urn:x \xe9", b"mine"),
            ("juliet", "vcard-temp", b"hers"),
        ):
            assert await documents.put(localpart, name, text)
        assert await documents.get("romeo", "vcard-temp") == b"<vCard>\xc3\xa9\x00</vCard>"
        assert await documents.get("romeo", "private urn:x \xe9") == b"mine"
        both = await documents.several("romeo", ["vcard-temp", "none", "private urn:x \xe9"])
        assert both == [b"<vCard>\xc3\xa9\x00</vCard>", None, b"mine"]
        assert await documents.several("tybalt", ["vcard-temp"]) == [None]
        assert await documents.several("romeo", []) == []
        assert await documents.put("romeo", "vcard-temp", b"")
        assert await documents.get("romeo", "vcard-temp") is None
        assert await documents.get("juliet", "vcard-temp") == b"hers"

    check(scenario)


def test_beyond_the_limit_a_document_only_replaces_one(check: Check) -> None:
    limit = Limit(2, 100)

    async def scenario(store: Store) -> None:
        documents = store.documents
        puts = [Deferred.fromCoroutine(documents.put("romeo", name, b"1", limit)) for name in "abc"]
        assert await gatherResults(puts) == [True, True, False]
        assert await documents.put("romeo", "a", b"2", limit)
        assert [await documents.get("romeo", name) for name in "abc"] == [b"2", b"1", None]
        assert await documents.put("romeo", "d", b"3")
        assert await documents.put("romeo", "a", b"", Limit(0, 0))
        assert not await documents.put("romeo", "c", b"1", limit)

    check(scenario)


def test_beyond_the_limit_in_bytes_documents_only_shrink(check: Check) -> None:
    limit = Limit(10, 100)

    async def scenario(store: Store) -> None:
        documents = store.documents
        assert await documents.put("romeo", "a", b"x" * 60, limit)
        assert not await documents.put("romeo", "b", b"x" * 41, limit)
        assert await documents.put("romeo", "b", b"x" * 40, limit)
        assert not await documents.put("romeo", "a", b"x" * 61, limit)
        assert await documents.put("romeo", "c", b"x" * 1_000)  # another feature's
        assert await documents.put("romeo", "a", b"y" * 60, limit)
        assert not await documents.put("romeo", "d", b"x", limit)

    check(scenario)


def test_accounts_are_counted(check: Check) -> None:
    async def scenario(store: Store) -> None:
        assert await store.accounts.count() == 0
        for number in range(600):
            await store.accounts.create(account(f"a{number:03}"))
        assert await store.accounts.count() == 600
        assert await store.accounts.names() == [f"a{number:03}" for number in range(600)]

    check(scenario)


def test_a_roster_of_more_than_a_page(check: Check) -> None:
    """Small items of which there are many, and large ones as they were stored before there was a limit."""
    jids = [Jid.parse(f"c{number}@capulet.lit") for number in range(700)]
    large = tuple(f"{number:01000}" for number in range(240))
    items = {jid: RosterItem(jid, "A name" * 10, large if number % 10 == 0 else ()) for number, jid in enumerate(jids)}

    async def scenario(store: Store) -> None:
        for item in items.values():
            await store.rosters.put("romeo", item)
        assert await store.rosters.load("romeo") == items

    check(scenario)


def test_writes_take_effect_in_the_order_of_the_calls(check: Check) -> None:
    juliet = Jid.parse("juliet@capulet.lit")

    async def scenario(store: Store) -> None:
        names = [str(number) for number in range(50)]
        writes = [Deferred.fromCoroutine(store.rosters.put("romeo", RosterItem(juliet, name))) for name in names]
        loaded = Deferred.fromCoroutine(store.rosters.load("romeo"))
        assert await loaded == {juliet: RosterItem(juliet, "49")}
        await gatherResults(writes)

    check(scenario)


def test_tokens_are_replaced_only_as_they_are_known(check: Check) -> None:
    token = Token("secret", "HT-SHA-256-NONE", b"\x00salt", 1_700_000_000.25, count=7)
    one, other = ClientTokens(new=token), ClientTokens(token)

    async def scenario(store: Store) -> None:
        tokens = store.tokens
        assert await tokens.get("romeo", "pda") is None
        assert not await tokens.replace("romeo", "pda", other, one)
        assert await tokens.replace("romeo", "pda", None, one)
        assert not await tokens.replace("romeo", "pda", None, other)
        assert not await tokens.replace("romeo", "pda", other, other)
        assert await tokens.get("romeo", "pda") == one
        assert await tokens.replace("romeo", "pda", one, other)
        assert await tokens.replace("romeo", "desk", None, one)
        assert await tokens.replace("juliet", "desk", None, one)
        assert await tokens.of_account("romeo") == {"pda": other, "desk": one}
        await tokens.remove("romeo", "pda")
        await tokens.remove("romeo", "pda")
        assert await tokens.get("romeo", "pda") is None
        assert await tokens.of_account("juliet") == {"desk": one}

    check(scenario)


def test_a_secret_stays_what_it_was_first(check: Check) -> None:
    async def scenario(store: Store) -> None:
        assert await store.secrets.get("a", b"\x00one") == b"\x00one"
        assert await store.secrets.get("a", b"two") == b"\x00one"
        assert await store.secrets.get("b", b"two") == b"two"

    check(scenario)
