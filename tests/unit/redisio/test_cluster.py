"""A client of a real cluster of three masters."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost

from cluster.redisio.client import RedisClient, RedisUnavailable
from cluster.redisio.layout import key
from cluster.redisio.slots import slot
from cluster.redisio.url import RedisUrl
from tests.harness import ReactorThread, until
from tests.valkey_cluster import ValkeyCluster

DOMAINS = ("montague.lit", "capulet.lit", "shakespeare.lit", "elsinore.lit", "padua.lit", "venice.lit")
_names = count()


class Lab:
    """One client."""

    def __init__(self, thread: ReactorThread, cluster: ValkeyCluster) -> None:
        self.run = thread.run
        self.reactor = thread.reactor
        self.cluster = cluster
        self.client = RedisClient(thread.reactor, RedisUrl.parse(cluster.url), lambda: 0.0)
        self.prefix = f"lab{next(_names)}"

    def key(self, domain: str, name: str = "x") -> str:
        return f"{self.prefix}:{{{domain}}}:{name}"

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.reactor, condition)


@pytest.fixture
def lab(reactor_thread: ReactorThread, valkey_cluster: ValkeyCluster) -> Iterator[Lab]:
    lab = Lab(reactor_thread, valkey_cluster)
    yield lab
    lab.run(lab.client.close)


@pytest.fixture
def own_lab(reactor_thread: ReactorThread, own_cluster: ValkeyCluster) -> Iterator[Lab]:
    lab = Lab(reactor_thread, own_cluster)
    yield lab
    lab.run(lab.client.close)


@given(st.text(st.sampled_from("ab:{}.é")))
def test_a_slot_is_where_redis_says(valkey_cluster: ValkeyCluster, name: str) -> None:
    assert slot(name) == int(valkey_cluster.nodes[0].cluster("KEYSLOT", name))


@pytest.mark.parametrize(
    "command",
    [
        ("XADD", "k", "1-1", "b", b"x"),
        ("XREADGROUP", "GROUP", "g", "s", "COUNT", 64, "STREAMS", "k", ">"),
        ("XGROUP", "CREATE", "k", "g", "0", "MKSTREAM"),
        ("XINFO", "STREAM", "k"),
        ("MEMORY", "USAGE", "k", "SAMPLES", 0),
        ("EVAL", "return 1", 2, "k", "l", "x"),
        ("PUBLISH", "k", "x"),
        ("BLPOP", "k", 0),
    ],
    ids=lambda command: command[0],
)
def test_the_key_of_a_command(command: tuple[str, ...]) -> None:
    assert key(command) == "k"


def test_commands_reach_the_masters_of_their_keys(lab: Lab) -> None:
    async def scenario() -> list[bytes]:
        await lab.client.connect()
        for domain in DOMAINS:
            lab.client.post("SET", lab.key(domain), domain)
        await lab.client.flush()  # replied to after all that was written before, to any master
        return [await lab.client.execute("GET", lab.key(domain)) for domain in DOMAINS]

    assert lab.run(scenario) == [domain.encode() for domain in DOMAINS]
    holders = [node for node in lab.cluster.nodes if node.admin.keys(f"{lab.prefix}:*")]
    assert len(holders) == 3


def test_what_is_said_on_a_channel_is_heard_in_order_with_the_commands_before(lab: Lab) -> None:
    async def scenario() -> None:
        heard: list[bytes] = []
        await lab.client.connect()
        for domain in DOMAINS:
            await lab.client.subscribe(lab.key(domain), heard.append)
        for domain in DOMAINS:
            assert await lab.client.execute("PUBLISH", lab.key(domain), domain) == 1
        await lab.until(lambda: len(heard) == len(DOMAINS))
        assert sorted(heard) == sorted(domain.encode() for domain in DOMAINS)

    lab.run(scenario)


def test_when_keys_move_the_connection_is_lost_and_the_next_one_finds_them(lab: Lab) -> None:
    async def scenario() -> None:
        await lab.client.connect()
        connections: list[None] = []
        lab.client.when_connected(lambda: connections.append(None))
        for domain in DOMAINS:
            await lab.client.execute("SET", lab.key(domain), domain)
        lab.cluster.move(lab.key(DOMAINS[0]))
        waiting = [lab.client.execute("GET", lab.key(domain)) for domain in DOMAINS]
        with pytest.raises(ConnectionLost):
            await waiting[0]
        assert not lab.client.connected
        for reply in waiting[1:]:  # they were answered before, or are lost with the connection
            reply.addErrback(lambda failure: failure.trap(ConnectionLost))
        await lab.until(lambda: len(connections) == 2)
        assert [await lab.client.execute("GET", lab.key(d)) for d in DOMAINS] == [d.encode() for d in DOMAINS]

    lab.run(scenario)


def test_a_posted_command_notices_that_keys_moved(lab: Lab) -> None:
    async def scenario() -> None:
        await lab.client.connect()
        connections: list[None] = []
        lab.client.when_connected(lambda: connections.append(None))
        lab.cluster.move(lab.key(DOMAINS[0]))
        lab.client.post("SET", lab.key(DOMAINS[0]), "x")
        await lab.until(lambda: len(connections) == 2)
        await lab.client.execute("SET", lab.key(DOMAINS[0]), "y")

    lab.run(scenario)


def test_what_is_written_right_before_a_close_arrives_at_every_master(lab: Lab) -> None:
    """As the last hops of a server that stops."""

    async def scenario() -> None:
        await lab.client.connect()
        for domain in DOMAINS:
            lab.client.post("RPUSH", lab.key(domain), "x")
        await lab.client.close()
        await lab.until(lambda: all(lab.cluster.admin.llen(lab.key(domain)) == 1 for domain in DOMAINS))
        lab.client = RedisClient(lab.reactor, RedisUrl.parse(lab.cluster.url), lambda: 0.0)
        await lab.client.connect()

    lab.run(scenario)


def test_without_one_of_its_masters_there_is_no_cluster_and_with_it_there_is(own_lab: Lab) -> None:
    lost = own_lab.cluster.owner(own_lab.key(DOMAINS[0]))

    async def scenario() -> None:
        await own_lab.client.connect()
        connections: list[None] = []
        own_lab.client.when_connected(lambda: connections.append(None))
        for domain in DOMAINS:
            await own_lab.client.execute("SET", own_lab.key(domain), domain)
        lost.kill()
        await own_lab.until(lambda: not own_lab.client.connected)
        with pytest.raises(ConnectionLost):
            await own_lab.client.execute("GET", own_lab.key(DOMAINS[1]))
        lost.start()
        await own_lab.until(lambda: len(connections) == 2)
        assert [await own_lab.client.execute("GET", own_lab.key(d)) for d in DOMAINS] == [d.encode() for d in DOMAINS]

    own_lab.run(scenario)


def test_a_replica_takes_over_also_for_the_node_that_was_named(own_lab: Lab) -> None:
    named = own_lab.cluster.nodes[0]
    domain = next(each for each in DOMAINS if own_lab.cluster.owner(own_lab.key(each)) is named)
    own_lab.cluster.add_replica(named)

    async def scenario() -> None:
        await own_lab.client.connect()
        connections: list[None] = []
        own_lab.client.when_connected(lambda: connections.append(None))
        await own_lab.client.execute("SET", own_lab.key(domain), "x")
        named.admin.execute_command("WAIT", 1, 0)
        named.kill()
        await own_lab.until(lambda: len(connections) == 2)
        assert await own_lab.client.execute("GET", own_lab.key(domain)) == b"x"

    own_lab.run(scenario)


def test_a_node_that_is_away_or_no_cluster_at_all_is_explained(
    reactor_thread: ReactorThread, own_cluster: ValkeyCluster
) -> None:
    own_cluster.nodes[1].kill()

    def connecting() -> Coroutine[Any, Any, None]:
        return RedisClient(reactor_thread.reactor, RedisUrl.parse(own_cluster.url), lambda: 0.0).connect()

    with pytest.raises(RedisUnavailable, match=r"cannot use Redis at redis\+cluster://127.0.0.1"):
        reactor_thread.run(connecting)
