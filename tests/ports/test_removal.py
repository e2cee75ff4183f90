"""Accounts that are removed, and those that the topology makes, in every store."""

from __future__ import annotations

from cluster.base.turn import Turn
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.store.archive import ArchivedMessage
from cluster.store.limits import Limit
from cluster.store.port import RosterItem, Store
from cluster.store.redis import redis_store
from cluster.store.session import SentStanza, SessionChange, SessionRecord
from cluster.store.tokens import ClientTokens
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.harness import ReactorThread, Valkey
from tests.ports import test_store
from tests.ports.test_store import Check, account, message

check = test_store.check

JULIET = Jid.parse("juliet@capulet.lit")
LIMIT = Limit(10, 100_000)
STANZA = make("message", from_=JULIET, to=Jid.parse("romeo@montague.lit"))


async def fill(store: Store, localpart: str) -> None:
    """Keep something of the account everywhere."""
    jid = Jid(localpart, "montague.lit", "pda")
    await store.accounts.create(account(localpart))
    await store.rosters.put(localpart, RosterItem(JULIET))
    await store.offline.push(localpart, message("hi"), LIMIT)
    await store.documents.put(localpart, "vcard-temp", b"<vCard/>")
    await store.tokens.replace(localpart, "agent", None, ClientTokens())
    await store.archives.append(localpart, ArchivedMessage("m", 1.0, STANZA), LIMIT)
    record = SessionRecord(f"{localpart}'s", jid, 300.0)
    sent = (SentStanza(1, STANZA, 1.0),)
    await store.sessions.note([SessionChange(record.id, localpart, 1, 0, record, frozenset({JULIET}), sent=sent)])


async def kept(store: Store, localpart: str) -> list[bool]:
    """What of it is there."""
    return [
        await store.accounts.get(localpart) is not None,
        bool(await store.rosters.load(localpart)),
        bool(await store.offline.page(localpart)),
        await store.documents.get(localpart, "vcard-temp") is not None,
        bool(await store.tokens.of_account(localpart)),
        bool((await store.archives.query(Jid(localpart, "montague.lit"), Query())).messages),
        bool(await store.sessions.load(localpart)),
    ]


def test_nothing_is_left_of_an_account_that_is_deleted(check: Check) -> None:
    async def scenario(store: Store) -> None:
        for localpart in ("romeo", "benvolio"):
            await fill(store, localpart)
        assert all(await kept(store, "romeo"))
        await store.accounts.delete("romeo")
        await store.accounts.delete("nobody")
        assert not any(await kept(store, "romeo"))
        assert all(await kept(store, "benvolio"))
        await fill(store, "romeo")
        assert all(await kept(store, "romeo"))

    check(scenario)


def test_what_is_archived_just_before_goes_with_it(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await fill(store, "romeo")
        store.archives.append("romeo", ArchivedMessage("n", 2.0, STANZA), LIMIT)
        store.archives.append_again("romeo", ArchivedMessage("o", 3.0, STANZA), LIMIT)
        await store.accounts.delete("romeo")
        assert not any(await kept(store, "romeo"))

    check(scenario)


def test_no_key_is_left_of_it_in_redis(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> None:
    """Whatever key or field is new: it has to go with the account."""

    def names() -> set[tuple[bytes, ...]]:
        """All keys, and the fields of all hashes."""
        found = [*valkey.admin.scan_iter(f"{keys.prefix}:*", count=1000)]
        hashes = [key for key in found if valkey.admin.type(key) == b"hash"]
        return {(key,) for key in found} | {(key, field) for key in hashes for field in valkey.admin.hkeys(key)}

    async def scenario() -> None:
        client = RedisClient(reactor_thread.reactor, RedisUrl.parse(valkey.url), lambda: 0.0)
        await client.connect()
        try:
            store = redis_store(client, keys, "montague.lit", Turn(reactor_thread.reactor))
            await fill(store, "benvolio")
            before = names()
            await fill(store, "romeo")
            new = names() - before
            assert sum(len(name) == 1 for name in new) == 8  # six of the account, two of its session
            assert sum(name[1:] == (b"romeo",) for name in new) == 2  # in the hashes of accounts and of bytes that wait
            await store.accounts.delete("romeo")
            assert names() == before
        finally:
            await client.close()

    reactor_thread.run(scenario)


def test_an_account_of_the_topology_is_made_once(check: Check) -> None:
    async def scenario(store: Store) -> None:
        accounts, roster = store.accounts, [RosterItem(JULIET, "Juliet"), RosterItem(Jid.parse("nurse@capulet.lit"))]
        assert not await accounts.is_seeded("romeo")
        await accounts.seed(account("romeo"), roster)
        assert await accounts.is_seeded("romeo")
        assert [*(await store.rosters.load("romeo")).values()] == roster
        await accounts.delete("romeo")
        await accounts.seed(account("romeo"), roster)
        assert not any(await kept(store, "romeo"))
        assert await accounts.is_seeded("romeo")

    check(scenario)


def test_the_topology_does_not_touch_an_account_that_is_there(check: Check) -> None:
    async def scenario(store: Store) -> None:
        await store.accounts.create(account("romeo", b"mine"))
        await store.accounts.seed(account("romeo"), [RosterItem(JULIET)])
        assert await store.accounts.get("romeo") == account("romeo", b"mine")
        assert await store.rosters.load("romeo") == {}

    check(scenario)
