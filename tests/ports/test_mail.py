"""One contract for every spool, and one for every ledger, of mails."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred

from cluster.gateways.mail.redis import RedisLedger, RedisSpool
from cluster.protocols.smtp.folder import FolderSpool
from cluster.protocols.smtp.memory import MemoryLedger, MemorySpool
from cluster.protocols.smtp.port import KEPT_S, Correspondent, Ledger, Mail, Sent, Spool, Taken
from cluster.redisio.acl import rules
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.xmpp.jid import Jid
from tests.harness import ReactorThread, Valkey
from tests.network import at_once

DOMAIN = "mail.montague.lit"
SENT = Sent(Jid.parse("romeo@montague.lit/pda"), Jid.parse(rf"friar\40abbey.example@{DOMAIN}"), "1", "t1")
MAIL = Mail("k1", f"bounce+k1@{DOMAIN}", "friar@abbey.example", b"Subject: \xff\0\r\n\r\n", 2.5, 3.5, 4, SENT, "t1")

Check = Callable[[Callable[[Any], Coroutine[Deferred[Any], Any, None]]], None]
Redis = Callable[[Callable[[RedisClient], Coroutine[Deferred[Any], Any, None]]], None]


class Time:
    """A clock that is set by hand."""

    utc_s = 1_700_000_000.0

    def __call__(self) -> float:
        return self.utc_s


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
def redis(request: pytest.FixtureRequest, keys: Keys) -> Redis:
    """Runs something with a connection of a user that has the rights of a domain's server, no more."""
    thread: ReactorThread = request.getfixturevalue("reactor_thread")
    valkey: Valkey = request.getfixturevalue("valkey")
    user = f"{keys.prefix}:{DOMAIN}"
    valkey.admin.execute_command("ACL", "SETUSER", user, *rules(keys, DOMAIN, "pw"))
    url = RedisUrl.parse(valkey.url_of(user.replace(":", "%3A"), "pw"))

    async def with_client(scenario: Callable[[RedisClient], Coroutine[Deferred[Any], Any, None]]) -> None:
        client = RedisClient(thread.reactor, url, lambda: 0.0)
        await client.connect()
        try:
            await scenario(client)
        finally:
            await client.close()

    return lambda scenario: thread.run(lambda: with_client(scenario))


@pytest.fixture(params=["memory", "folder", "redis"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Check]:
    """Runs a scenario on an empty spool."""
    if request.param == "redis":
        redis: Redis = request.getfixturevalue("redis")
        keys: Keys = request.getfixturevalue("keys")
        yield lambda scenario: redis(lambda client: scenario(RedisSpool(client, keys, DOMAIN)))
    else:
        made = MemorySpool() if request.param == "memory" else FolderSpool(tmp_path / "spool")
        yield lambda scenario: at_once(scenario(made))


@pytest.fixture(params=["memory", "redis"])
def ledger(request: pytest.FixtureRequest, now: Time) -> Iterator[Check]:
    """Runs a scenario on an empty ledger."""
    if request.param == "redis":
        redis: Redis = request.getfixturevalue("redis")
        keys: Keys = request.getfixturevalue("keys")
        yield lambda scenario: redis(lambda client: scenario(RedisLedger(client, keys, DOMAIN, now)))
    else:
        yield lambda scenario: at_once(scenario(MemoryLedger(now)))


def test_a_mail_is_found_as_it_was_put(spool: Check) -> None:
    async def scenario(spool: Spool) -> None:
        assert await spool.load() == []
        await spool.put(MAIL)
        assert await spool.load() == [MAIL]
        later = msgspec.structs.replace(MAIL, attempts=5, due_utc_s=9.0)
        await spool.put(later)
        assert await spool.load() == [later]

    spool(scenario)


def test_the_oldest_comes_first(spool: Check) -> None:
    async def scenario(spool: Spool) -> None:
        for n in (3, 1, 2):
            await spool.put(msgspec.structs.replace(MAIL, id=f"../k {n}/", accepted_utc_s=float(n), sent=None))
        assert [mail.accepted_utc_s for mail in await spool.load()] == [1, 2, 3]

    spool(scenario)


def test_what_is_dropped_is_gone(spool: Check) -> None:
    async def scenario(spool: Spool) -> None:
        await spool.put(MAIL)
        await spool.put(msgspec.structs.replace(MAIL, id="k2"))
        await spool.drop("k1")
        await spool.drop("k1")
        await spool.drop("nobody's")
        assert [mail.id for mail in await spool.load()] == ["k2"]

    spool(scenario)


def test_records_are_found_as_they_were_noted(ledger: Check) -> None:
    taken = Taken(Jid.parse("romeo@montague.lit"), "friar@abbey.example", b"\xff\0", False, "t1")

    async def scenario(ledger: Ledger) -> None:
        assert await ledger.find("a") is None
        for record in (SENT, taken, Correspondent(), msgspec.structs.replace(taken, is_delivered=True)):
            await ledger.note("a", record)
            assert await ledger.find("a") == record
        assert await ledger.find("b") is None

    ledger(scenario)


def test_records_are_known_for_a_time_and_then_forgotten(ledger: Check, now: Time) -> None:
    async def scenario(ledger: Ledger) -> None:
        await ledger.note("a", SENT)
        now.utc_s += KEPT_S
        assert await ledger.find("a") == SENT
        await ledger.note("b", SENT)
        await ledger.note("a", Correspondent())
        assert await ledger.find("a") == Correspondent()
        now.utc_s += KEPT_S
        await ledger.note("c", SENT)
        assert await ledger.find("b") == SENT
        now.utc_s += KEPT_S
        assert await ledger.find("a") is None
        assert await ledger.find("c") == SENT

    ledger(scenario)


def test_redis_forgets_by_itself(redis: Redis, keys: Keys, valkey: Valkey, now: Time) -> None:
    async def scenario(client: RedisClient) -> None:
        await RedisLedger(client, keys, DOMAIN, now).note("a", SENT)

    redis(scenario)
    [key] = valkey.admin.scan_iter(f"{keys.prefix}:*")
    assert 0 < valkey.admin.ttl(key) <= 2 * KEPT_S


def test_a_crash_in_the_middle_of_a_file_loses_no_other(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path)
    at_once(spool.put(MAIL))
    (tmp_path / "half.new").write_bytes(b"\x9a")
    assert at_once(FolderSpool(tmp_path).load()) == [MAIL]
