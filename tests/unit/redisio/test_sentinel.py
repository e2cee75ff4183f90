"""A master that Sentinels name: for servers, which have a client of ours, and for commands, which have redis-py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.lab.errors import LabError
from cluster.lab.provision import redis
from cluster.lab.redis_client import connected, home_of
from cluster.redisio.client import RedisClient, RedisUnavailable
from cluster.redisio.url import RedisUrl
from tests.harness import ReactorThread, until
from tests.unit.lab.plan import make_plan
from tests.valkey_sentinel import ValkeySentinel

UNKNOWN = "says: no master has the name 'elsinore', but verona"
REFUSED = "refuses the login"


@pytest.fixture(scope="module")
def sentinel() -> Iterator[ValkeySentinel]:
    """One that no test changes."""
    watched = ValkeySentinel("of-redis", "of-sentinels")
    yield watched
    watched.close()


def test_after_a_failover_it_connects_to_the_new_master_and_subscribes_again(
    reactor_thread: ReactorThread, own_sentinel: ValkeySentinel
) -> None:
    async def scenario() -> None:
        own_sentinel.sentinels[0].kill()  # the next one is asked
        client, heard = (
            RedisClient(reactor_thread.reactor, RedisUrl.parse(own_sentinel.url), lambda: 0.0),
            list[bytes](),
        )
        await client.connect()
        await client.subscribe("channel", heard.append)
        assert await client.execute("SET", "k", "x") == b"OK"
        await client.execute("WAIT", 1, 0)
        own_sentinel.kill_master()
        await until(reactor_thread.reactor, lambda: not client.connected)
        await until(reactor_thread.reactor, lambda: client.connected)
        assert await client.execute("GET", "k") == b"x"
        assert await client.execute("SET", "k", "y") == b"OK"
        await until(reactor_thread.reactor, lambda: own_sentinel.admin.publish("channel", "again") and heard)
        await client.close()

    reactor_thread.run(scenario)
    with connected(own_sentinel.url) as commands:
        assert commands.get("k") == b"y"
    assert home_of(own_sentinel.url, "k").addresses == [("127.0.0.1", own_sentinel.replica.port)]


def test_a_sentinel_that_has_not_heard_of_the_new_master_is_not_believed(
    reactor_thread: ReactorThread, own_sentinel: ValkeySentinel
) -> None:
    """What it names says itself that it is no master, and another Sentinel is asked."""
    late, *others = own_sentinel.sentinels
    own_sentinel.replica.admin.replicaof("NO", "ONE")
    own_sentinel.master.admin.replicaof("127.0.0.1", own_sentinel.replica.port)
    for each in others:
        each.admin.sentinel_remove("verona")
        each.admin.sentinel_monitor("verona", "127.0.0.1", own_sentinel.replica.port, 9)
        each.admin.sentinel_set("verona", "auth-pass", "of-redis")
    assert late.admin.sentinel_get_master_addr_by_name("verona", return_responses=True)[1] == own_sentinel.master.port

    async def scenario() -> object:
        client = RedisClient(reactor_thread.reactor, RedisUrl.parse(own_sentinel.url), lambda: 0.0)
        await client.connect()
        written = await client.execute("SET", "k", "x")
        await client.close()
        return written

    assert reactor_thread.run(scenario) == b"OK"
    with connected(own_sentinel.url) as commands:
        assert commands.get("k") == b"x"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("verona", "elsinore"), UNKNOWN),
        (("?sentinel_password=of-sentinels", ""), REFUSED),
        (("=of-sentinels", "=other"), REFUSED),
        ((":of-redis@", ":other@"), "WRONGPASS"),
    ],
)
def test_a_server_tells_what_is_wrong(
    reactor_thread: ReactorThread, sentinel: ValkeySentinel, wrong: tuple[str, str], told: str
) -> None:
    url = sentinel.url.replace(*wrong)
    with pytest.raises(RedisUnavailable, match=told):
        reactor_thread.run(RedisClient(reactor_thread.reactor, RedisUrl.parse(url), lambda: 0.0).connect)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("verona", "elsinore"), f"{UNKNOWN}; name the master as the Sentinels do"),
        (("?sentinel_password=of-sentinels", ""), f"{REFUSED}; give that of the Sentinels"),
        (("=of-sentinels", "=other"), f"{REFUSED}; give that of the Sentinels"),
        ((":of-redis@", ":other@"), "check user and password"),
    ],
)
def test_a_command_tells_what_is_wrong_and_the_remedy(
    sentinel: ValkeySentinel, wrong: tuple[str, str], told: str
) -> None:
    with pytest.raises(LabError) as caught, connected(sentinel.url.replace(*wrong)):
        pass
    assert told in str(caught.value)
    assert "of-redis" not in str(caught.value)


def test_no_sentinel_is_there(reactor_thread: ReactorThread, own_sentinel: ValkeySentinel) -> None:
    for each in own_sentinel.sentinels:
        each.kill()
    first = f"the Sentinel at 127.0.0.1:{own_sentinel.sentinels[0].port} cannot be reached"
    with pytest.raises(RedisUnavailable, match=first):
        reactor_thread.run(RedisClient(reactor_thread.reactor, RedisUrl.parse(own_sentinel.url), lambda: 0.0).connect)
    with pytest.raises(LabError, match=f"{first}.*; check that the Sentinels are running"), connected(own_sentinel.url):
        pass


def test_a_sentinel_is_not_taken_for_a_redis(sentinel: ValkeySentinel, tmp_path: Path) -> None:
    port = sentinel.sentinels[0].port
    plan = make_plan(tmp_path, redis_url=f"redis://:of-sentinels@127.0.0.1:{port}")
    with pytest.raises(LabError, match=rf"this is a Sentinel; write redis\+sentinel://.*@127.0.0.1:{port}/SERVICE"):
        redis.let_in(plan, redis.new_logins(plan))


def test_the_replica_has_the_users_of_a_lab_too(sentinel: ValkeySentinel, tmp_path: Path) -> None:
    """Redis does not replicate users, and whoever takes over must know them."""
    plan = make_plan(tmp_path, redis_url=sentinel.url)
    both = [each.admin for each in (sentinel.master, sentinel.replica)]
    redis.let_in(plan, redis.new_logins(plan))
    assert [{*each.acl_users()} for each in both] == [{"default", *redis.users(plan).values()}] * 2
    redis.move_out(plan, keep_data=False)
    assert [each.acl_users() for each in both] == [["default"]] * 2
