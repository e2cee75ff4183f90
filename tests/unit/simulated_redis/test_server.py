"""The simulated Redis as a process: what its clients see while it crashes, hangs and comes back."""

from __future__ import annotations

from typing import Any

import pytest
from hiredis import ReplyError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster.redisio.client import RedisClient, RedisUnavailable
from cluster.redisio.url import RedisUrl
from cluster.simulated_redis import server
from cluster.simulated_redis.acl import Users
from cluster.simulated_redis.disk import Fsync
from cluster.simulated_redis.server import SimulatedRedis
from cluster.virtual.network import Network
from cluster.virtual.timeline import NS, Timeline

USER = ["on", ">secret", "~*", "&*", "+@all"]


class World:
    """A Redis, and a client on another host."""

    def __init__(self, fsync: Fsync = Fsync.ALWAYS, password: str = "secret") -> None:
        self.timeline = Timeline()
        self.network = Network(self.timeline, "seed")
        users = Users()
        users.set("default", ["off"])
        users.set("me", USER)
        self.redis = SimulatedRedis(self.network, users, lambda: 1.7e9 + self.timeline.seconds(), fsync=fsync)
        self.redis.start()
        self.client = self.new_client(password)
        self.connecting = Deferred.fromCoroutine(self.client.connect())

    def new_client(self, password: str = "secret") -> RedisClient:
        host: Any = self.network.host("s1")
        return RedisClient(host, RedisUrl.parse(f"redis://me:{password}@redis:6379/0"), lambda: 0.5)

    def run(self, seconds: float) -> None:
        self.timeline.run(self.timeline.now_ns + int(seconds * NS))

    def ask(self, *command: str | int) -> Any:
        """The reply, which comes within a second."""
        asked = self.client.execute(*command)
        self.run(1)
        result: list[Any] = []
        asked.addBoth(result.append)
        [reply] = result
        if isinstance(getattr(reply, "value", None), Exception):
            raise reply.value
        return reply


@pytest.fixture
def world() -> World:
    world = World()
    world.run(1)
    return world


def test_a_wrong_password() -> None:
    world = World(password="wrong")
    world.run(1)
    refused: list[Any] = []
    world.connecting.addErrback(refused.append)
    assert isinstance(refused[0].value, RedisUnavailable)
    assert "WRONGPASS" in str(refused[0].value)


def test_commands_errors_and_channels(world: World) -> None:
    heard: list[bytes] = []
    world.client.subscribe("news", heard.append)
    world.run(1)
    assert world.ask("HSET", "h", "a", 1) == 1
    assert world.ask("HGETALL", "h") == {b"a": b"1"}
    assert world.ask("PUBLISH", "news", "hello") == 1
    assert heard == [b"hello"]
    with pytest.raises(ReplyError, match="WRONGTYPE"):
        world.ask("LLEN", "h")


def test_a_crash_keeps_what_was_executed_though_the_reply_is_lost(world: World) -> None:
    replies: list[Any] = []
    world.client.execute("HSET", "h", "a", "kept").addBoth(replies.append)
    while not world.redis.values:
        world.timeline.run(world.timeline.now_ns + NS, 1)
    world.redis.crash()
    world.run(2)
    assert isinstance(replies[0].value, ConnectionLost)
    world.redis.start()
    world.run(5)
    assert world.ask("HGET", "h", "a") == b"kept"


def test_subscriptions_are_made_again_after_a_crash(world: World) -> None:
    heard: list[bytes] = []
    world.client.subscribe("news", heard.append)
    world.run(1)
    world.redis.crash()
    world.run(1)
    world.redis.start()
    world.run(5)
    assert world.ask("PUBLISH", "news", "hello") == 1
    assert heard == [b"hello"]


def test_while_it_reads_its_file_it_refuses_commands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LOADS_S", 3.0)
    world.redis.crash()
    world.run(1)
    world.redis.start()
    world.run(2.5)
    assert not world.client.connected
    world.run(5)
    assert world.client.connected


@pytest.mark.parametrize(("fsync", "kept"), [(Fsync.ALWAYS, 3), (Fsync.EVERYSEC, 2)])
def test_a_machine_without_power_loses_what_was_not_flushed(fsync: Fsync, kept: int) -> None:
    world = World(fsync)
    world.run(1)
    for field in "ab":
        world.client.post("HSET", "h", field, field)
        world.client.post("EXPIRE", "h", 100)
        world.client.post("EVAL", "redis.call('XADD', KEYS[1], '*', 'b', ARGV[1])", 1, "x", field)
    world.run(1.5)  # a flush is once a second
    world.client.post("HSET", "h", "c", "c")
    world.run(0.01)
    world.redis.lose_power()
    world.redis.start()
    world.run(5)
    assert world.ask("HLEN", "h") == kept
    assert world.ask("XLEN", "x") == 2
    world.run(100)
    assert world.ask("HLEN", "h") == 0, "it has expired"


def test_what_hangs_is_given_up_and_found_again(world: World) -> None:
    world.redis.pause()
    replies: list[Any] = []
    world.client.execute("HSET", "h", "a", "late").addBoth(replies.append)
    world.run(10)
    assert isinstance(replies[0].value, ConnectionLost)
    world.redis.resume()
    world.run(10)
    assert world.client.connected
    assert world.ask("HGET", "h", "a") == b"late", "it was executed when Redis went on"


def test_a_slow_one_executes_one_command_after_the_other(world: World) -> None:
    world.redis.service_s = 0.1
    came_s: list[float] = []
    for number in range(5):
        world.client.execute("RPUSH", "l", number).addCallback(lambda _: came_s.append(world.timeline.seconds()))
    begun_s = world.timeline.seconds()
    world.run(2)
    assert [round(at_s - begun_s, 1) for at_s in came_s] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert world.redis.do("LRANGE", "l", 0, -1) == [b"0", b"1", b"2", b"3", b"4"]


def test_who_does_not_read_what_is_published_is_cut_off(world: World) -> None:
    """client-output-buffer-limit: 32 MiB."""
    renewed: list[None] = []
    world.client.subscribe("news", lambda message: None, lambda: renewed.append(None))
    world.run(1)
    listening = world.network.host("s2")  # another process, which is paused
    sleepy: Any = listening
    client = RedisClient(sleepy, RedisUrl.parse("redis://me:secret@redis:6379/0"), lambda: 0.5)
    Deferred.fromCoroutine(client.connect()).addCallback(lambda _: client.subscribe("news", lambda message: None))
    world.run(1)
    listening.pause()
    for _ in range(40):
        world.redis.do("PUBLISH", "news", b"x" * (1 << 20))
        world.run(0.1)
    assert world.redis.do("PUBLISH", "news", b"x") == 1, "the other one reads"
    assert not renewed


def test_a_slow_disk_holds_up_all_commands_and_their_replies(world: World) -> None:
    world.redis.disk_takes_s = lambda: 0.5
    got: list[str] = []
    for name, command in [("set", ("HSET", "a", "b", 1)), ("get", ("HGET", "a", "b"))]:
        world.client.execute(*command).addCallback(lambda reply, name=name: got.append(name))
    world.run(0.4)
    assert world.redis.do("HGET", "a", "b") == b"1"
    world.client.execute("HGET", "a", "b").addCallback(lambda reply: got.append("later"))
    world.run(0.05)
    assert got == []
    world.run(0.1)
    assert got == ["set", "get", "later"]
    assert world.ask("HGET", "a", "b") == b"1"
    world.redis.disk_takes_s = None
    world.client.execute("HSET", "a", "b", 2).addCallback(lambda reply: got.append("fast"))
    world.run(0.01)
    assert got[-1] == "fast"


def test_what_waits_for_a_slow_disk_is_kept_at_a_crash(world: World) -> None:
    world.redis.disk_takes_s = lambda: 5.0
    world.client.execute("HSET", "a", "b", 1).addErrback(lambda failure: None)
    world.run(1)
    world.redis.crash()
    world.redis.disk_takes_s = None
    world.redis.start()
    world.run(5)
    assert world.ask("HGET", "a", "b") == b"1"
