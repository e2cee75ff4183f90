"""Commands and subscriptions have connections of their own: what becomes of one when the other is lost."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionLost

from tests.harness import ReactorThread, Valkey, until
from tests.unit.redisio.test_client import Lab

OWED = 4 << 20


@pytest.fixture
def own_lab(reactor_thread: ReactorThread, own_valkey: Valkey):
    lab = Lab(reactor_thread, own_valkey)
    yield lab
    lab.run(lab.close)


def test_a_large_answer_is_not_bounded_by_what_redis_lets_a_subscriber_owe(own_lab: Lab) -> None:
    own_lab.valkey.admin.config_set("client-output-buffer-limit", f"pubsub {OWED} 0 0")
    own_lab.valkey.admin.set("large", b"x" * 4 * OWED)

    async def scenario() -> None:
        client, heard = own_lab.client(), list[bytes]()
        await client.connect()
        await client.subscribe("channel", heard.append)
        assert len(await client.execute("GET", "large")) == 4 * OWED
        await client.execute("PUBLISH", "channel", "x")
        await until(own_lab.reactor, lambda: heard)

    own_lab.run(scenario)


def test_a_subscription_that_was_cut_is_renewed_and_commands_do_not_notice(own_lab: Lab) -> None:
    async def scenario() -> None:
        client, heard, renewed, connected = own_lab.client(), list[bytes](), list[int](), list[int]()
        await client.connect()
        await client.subscribe("channel", heard.append, lambda: renewed.append(len(heard)))
        client.when_connected(lambda: connected.append(1))
        under_way = client.execute("BLPOP", "list", 0)
        own_lab.valkey.admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(own_lab.reactor, lambda: renewed)
        own_lab.valkey.admin.publish("channel", "again")
        await until(own_lab.reactor, lambda: heard)
        own_lab.valkey.admin.rpush("list", "x")
        assert await under_way == [b"list", b"x"]
        assert (heard, renewed, connected) == ([b"again"], [0], [1])

    own_lab.run(scenario)


def test_a_redis_that_becomes_a_replica_is_left_until_it_is_a_master_again(own_lab: Lab) -> None:
    async def scenario() -> None:
        client = own_lab.client()
        await client.connect()
        own_lab.valkey.admin.replicaof("127.0.0.1", 1)
        with pytest.raises(ConnectionLost, match="READONLY"):
            await client.execute("EVAL", "return redis.call('SET', KEYS[1], 'x')", 1, "k")
        assert not client.connected
        own_lab.valkey.admin.replicaof("NO", "ONE")
        await until(own_lab.reactor, lambda: client.connected)
        await client.execute("SET", "k", "x")

    own_lab.run(scenario)


def test_what_a_paused_redis_was_told_comes_before_what_it_is_told_next(
    own_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was given up is still done when it goes on."""
    own_lab.hurry(monkeypatch)

    async def scenario() -> None:
        client = own_lab.client()
        await client.connect()
        await client.execute("SET", "k", "before")
        own_lab.valkey.pause()
        old = [client.execute("SET", "k", f"old {number} {'x' * 1000}") for number in range(200)]
        for each in old:
            with pytest.raises(ConnectionLost):
                await each
        own_lab.valkey.resume()
        await until(own_lab.reactor, lambda: client.connected)
        await client.execute("SET", "k", "new")
        for _ in range(100):
            await client.flush()
        assert await client.execute("GET", "k") == b"new"

    own_lab.run(scenario)
