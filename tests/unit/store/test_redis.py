"""The stores in a real Valkey, with a server's own rights: no reply is large, however much is stored."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred, gatherResults

from cluster.base.turn import Turn
from cluster.redisio.acl import rules
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.pages import PAGE_BYTES
from cluster.redisio.protocol import Reply
from cluster.redisio.url import RedisUrl
from cluster.store.archive import MAX_PAGE_BYTES
from cluster.store.limits import Limit
from cluster.store.port import OfflineMessage, RosterItem, Store
from cluster.store.redis import MAX_READS, redis_store
from cluster.store.session import SentStanza, SessionChange
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from tests.harness import ReactorThread, Valkey
from tests.ports.test_archive import ROMEO, large
from tests.ports.test_sessions import record

DOMAIN = "montague.lit"
LARGE = 262_144
"""As large as a stanza may be."""
MUCH = Limit(100_000, 1 << 40)
Scenario = Callable[[Store, list[int]], Coroutine[Deferred[Any], Any, None]]
Run = Callable[[Scenario], None]


class Watched(RedisClient):
    """Notes how large the replies are."""

    replies: list[int]
    under_way = most_under_way = 0

    def execute(self, *command: str | bytes | int) -> Deferred[Reply]:
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        return super().execute(*command).addCallback(self._note)

    def _note(self, reply: Reply) -> Reply:
        self.under_way -= 1
        self.replies.append(len(msgspec.msgpack.encode(reply)))
        return reply


@pytest.fixture
def run(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> Run:
    """Runs a scenario with an empty store and the sizes of the replies that it got."""
    user = "store"
    valkey.admin.execute_command("ACL", "SETUSER", user, *rules(keys, DOMAIN, "pw"))

    async def with_store(scenario: Scenario) -> None:
        client = Watched(reactor_thread.reactor, RedisUrl.parse(valkey.url_of(user, "pw")), lambda: 0.0)
        client.replies = []
        await client.connect()
        try:
            await scenario(redis_store(client, keys, DOMAIN, Turn(reactor_thread.reactor)), client.replies)
        finally:
            await client.close()

    return lambda scenario: reactor_thread.run(lambda: with_store(scenario))


def message(size: int) -> Stanza:
    return Stanza("message", ROMEO, ROMEO, None, None, (), b"x" * size)


def test_a_roster(run: Run) -> None:
    async def scenario(store: Store, replies: list[int]) -> None:
        groups = tuple(f"{number:01000}" for number in range(240))
        for number in range(60):
            jid = Jid.parse(f"c{number}@capulet.lit")
            await store.rosters.put("romeo", RosterItem(jid, groups=groups, pending_in=message(LARGE)))
        assert len(await store.rosters.load("romeo")) == 60
        assert max(replies) < 8 * 6 * LARGE  # HSCAN may return several times what it is asked for
        assert sorted(replies)[-2] < PAGE_BYTES + 3 * LARGE

    run(scenario)


def test_what_waits_offline(run: Run) -> None:
    async def scenario(store: Store, replies: list[int]) -> None:
        for _ in range(20):
            await store.offline.push("romeo", OfflineMessage(message(LARGE), 0.0), MUCH)
        while page := await store.offline.page("romeo"):
            await store.offline.drop("romeo", len(page))
        assert max(replies) < PAGE_BYTES + 2 * LARGE

    run(scenario)


def test_an_archive(run: Run) -> None:
    async def scenario(store: Store, replies: list[int]) -> None:
        for number in range(20):
            await store.archives.append("romeo", large(number, LARGE), MUCH)
        after = None
        found = 0
        while page := (await store.archives.query(ROMEO, Query(page_after=after))).messages:
            after = page[-1].id
            found += len(page)
        assert found == 20
        assert max(replies) < MAX_PAGE_BYTES + 2 * LARGE

    run(scenario)


def test_sessions(run: Run) -> None:
    async def scenario(store: Store, replies: list[int]) -> None:
        sent = tuple(SentStanza(number, message(LARGE), 0.0) for number in range(30))
        await store.sessions.note([SessionChange("one", "romeo", 0, 0, record(), sent=sent)])
        [kept] = await store.sessions.load("romeo")
        assert kept.sent == sent
        assert sorted(replies)[-2] < PAGE_BYTES + 2 * LARGE

    run(scenario)


def test_documents_are_read_a_few_at_a_time(reactor_thread: ReactorThread, valkey: Valkey, keys: Keys) -> None:
    async def scenario() -> None:
        client = Watched(reactor_thread.reactor, RedisUrl.parse(valkey.url), lambda: 0.0)
        client.replies = []
        await client.connect()
        documents = redis_store(client, keys, DOMAIN, Turn(reactor_thread.reactor)).documents
        await documents.put("romeo", "vcard-temp", b"x" * 1_000)
        found = await gatherResults([Deferred.fromCoroutine(documents.get("romeo", "vcard-temp")) for _ in range(200)])
        assert found == [b"x" * 1_000] * 200
        assert client.most_under_way == MAX_READS
        await client.close()

    reactor_thread.run(scenario)


def test_what_waited_before_its_bytes_were_counted(run: Run, valkey: Valkey, keys: Keys) -> None:
    limit = Limit(100, 25_000)

    async def scenario(store: Store, replies: list[int]) -> None:
        old = msgspec.msgpack.encode(OfflineMessage(message(10_000), 0.0))
        valkey.admin.rpush(keys.offline(DOMAIN, "romeo"), old, old)
        assert not await store.offline.push("romeo", OfflineMessage(message(10_000), 0.0), limit)
        assert await store.offline.push("romeo", OfflineMessage(message(1_000), 0.0), limit)
        await store.offline.drop("romeo", 1)
        assert await store.offline.push("romeo", OfflineMessage(message(10_000), 0.0), limit)
        await store.offline.drop("romeo", 10)
        assert valkey.admin.hgetall(keys.offline_bytes(DOMAIN)) == {}

    run(scenario)


def test_an_archive_that_redis_refuses_to_keep_fails_nobody(reactor_thread: ReactorThread, own_valkey: Valkey) -> None:
    """The message has been delivered: if this failed, it would be bounced too."""
    keys = Keys.of_lab("test")
    own_valkey.admin.execute_command("ACL", "SETUSER", "s1", *rules(keys, DOMAIN, "pw"))

    async def scenario() -> None:
        client = RedisClient(reactor_thread.reactor, RedisUrl.parse(own_valkey.url_of("s1", "pw")), lambda: 0.0)
        await client.connect()
        archives = redis_store(client, keys, DOMAIN, Turn(reactor_thread.reactor)).archives
        try:
            own_valkey.admin.config_set("maxmemory", 1)
            await archives.append("romeo", large(1, 10), MUCH)
            own_valkey.admin.config_set("maxmemory", 0)
            await archives.append("romeo", large(2, 10), MUCH)
            page = await archives.query(ROMEO, Query(max=10))
            assert [message.id for message in page.messages] == [large(2, 10).id]
        finally:
            await client.close()

    reactor_thread.run(scenario)
