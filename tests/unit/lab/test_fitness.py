"""Which Redis a lab may move into."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from twisted.internet.error import ConnectionLost

from cluster.lab.errors import LabError
from cluster.lab.provision import redis
from cluster.lab.provision.fitness import check_fit
from cluster.lab.redis_client import connected, home_of
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from loadtests.bench.ports import free_ports
from tests.harness import PATIENCE_S, ReactorThread, Valkey, start_valkey, until
from tests.unit.lab.plan import make_plan
from tests.valkey_cluster import ValkeyCluster


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_redis_that_evicts_is_refused_with_the_remedy(own_valkey: Valkey, tmp_path: Path, policy: str) -> None:
    own_valkey.admin.config_set("maxmemory-policy", policy)
    plan = make_plan(tmp_path, redis_url=own_valkey.url)
    with pytest.raises(LabError, match=f"maxmemory-policy {policy}.*CONFIG SET maxmemory-policy noeviction"):
        redis.let_in(plan, redis.new_logins(plan))
    assert own_valkey.admin.acl_users() == ["default"]
    own_valkey.admin.config_set("maxmemory-policy", "noeviction")
    redis.let_in(plan, redis.new_logins(plan))


def test_a_replica_is_refused_with_the_remedy(own_valkey: Valkey) -> None:
    own_valkey.admin.replicaof("master.example", 6380)
    with pytest.raises(LabError, match=r"replica of master\.example:6380.*address of its master"):
        check_fit([own_valkey.admin])


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"maxmemory": "1"}, "its memory is full"),
        ({"min-replicas-to-write": "1"}, "fewer replicas"),
        ({"replicaof": "master.example 6380"}, "it is a replica"),
    ],
)
def test_a_redis_that_refuses_writes_is_told_with_the_remedy(
    own_valkey: Valkey, settings: dict[str, str], remedy: str
) -> None:
    """Not: "check that it is running, and check user and password"."""
    for name, value in settings.items():
        if name == "replicaof":
            own_valkey.admin.replicaof(*value.split())
        else:
            own_valkey.admin.config_set(name, value)
    with pytest.raises(LabError, match=remedy) as refused, connected(own_valkey.url) as admin:
        admin.set("key", "value")
    assert "password right" not in str(refused.value)


def test_the_redis_of_a_lab_that_is_down(tmp_path: Path) -> None:
    """It has no password that a user could check."""
    url = f"unix://{tmp_path}/redis.sock"
    with pytest.raises(LabError, match="the lab is down, or its Redis is") as refused, connected(url) as admin:
        admin.ping()
    assert "password" not in str(refused.value)


def test_the_redis_of_a_lab_that_goes_down_meanwhile(tmp_path: Path) -> None:
    """A command that waits for something, such as `watch`, loses its connection."""
    url = f"unix://{tmp_path}/redis.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{tmp_path}/redis.sock")
        listening.listen()
        closing = threading.Thread(target=lambda: listening.accept()[0].close(), daemon=True)
        closing.start()
        with pytest.raises(LabError, match="the lab is down, or its Redis is"), connected(url, PATIENCE_S) as admin:
            admin.ping()
        closing.join()


@pytest.mark.parametrize(
    ("appendonly", "save", "told"),
    [("yes", "", ""), ("no", "", "writes nothing to disk"), ("no", "60 1", "writes snapshots to disk")],
)
def test_a_redis_that_forgets_is_told_of(
    own_valkey: Valkey, capsys: pytest.CaptureFixture[str], appendonly: str, save: str, told: str
) -> None:
    own_valkey.admin.config_set("appendonly", appendonly)
    own_valkey.admin.config_set("save", save)
    check_fit([own_valkey.admin, own_valkey.admin])
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == bool(told)
    assert told in "".join(warnings)


def test_each_master_of_a_cluster_is_looked_at(own_cluster: ValkeyCluster, tmp_path: Path) -> None:
    own_cluster.nodes[2].admin.config_set("maxmemory-policy", "allkeys-lfu")
    plan = make_plan(tmp_path, redis_url=own_cluster.url)
    with pytest.raises(LabError, match="maxmemory-policy allkeys-lfu"):
        redis.let_in(plan, redis.new_logins(plan))


def test_a_dead_node_of_a_cluster_is_one_line_and_another_one_may_be_named(
    own_cluster: ValkeyCluster, tmp_path: Path
) -> None:
    dead, *others = own_cluster.nodes
    url = f"redis+cluster://127.0.0.1:{dead.port}"
    both = f"{url},127.0.0.1:{others[0].port}"
    key = Keys.of_lab("verona").doorbell("capulet.lit")
    home = home_of(url, key)
    dead.kill()
    with pytest.raises(LabError, match=r"check that it is running") as caught, connected(url):
        pass
    assert "\n" not in str(caught.value)
    with connected(both) as client:
        assert len(client.get_nodes()) == 3
    assert home_of(both, key) == home
    dead.start()
    own_cluster.wait_ok()
    plan = make_plan(tmp_path, redis_url=both)
    redis.let_in(plan, logins := redis.new_logins(plan))
    assert RedisUrl.parse(logins["capulet.lit"]).addresses == [("127.0.0.1", dead.port), ("127.0.0.1", others[0].port)]


def test_of_a_replica_and_its_master_the_master_is_taken(reactor_thread: ReactorThread, own_valkey: Valkey) -> None:
    master, replica = own_valkey, start_valkey()
    try:
        master_port, replica_port = free_ports(2)
        master.admin.config_set("port", master_port)
        replica.admin.config_set("port", replica_port)
        replica.admin.replicaof("127.0.0.1", master_port)
        url = f"redis://127.0.0.1:{replica_port},127.0.0.1:{master_port}"
        with connected(url) as client:
            client.set("by", "a command")
        assert home_of(url, "x") == RedisUrl.parse(f"redis://127.0.0.1:{master_port}")
        server = RedisClient(reactor_thread.reactor, RedisUrl.parse(url), lambda: 0.0)

        async def scenario() -> None:
            await server.connect()
            await server.execute("SET", "and by", "a server")
            replica.admin.replicaof("NO", "ONE")
            master.admin.replicaof("127.0.0.1", replica_port)
            with pytest.raises(ConnectionLost):
                await server.execute("SET", "k", "x")
            await until(reactor_thread.reactor, lambda: server.connected)
            await server.execute("SET", "k", "x")
            await server.close()

        reactor_thread.run(scenario)
        assert replica.admin.get("k") == b"x"
    finally:
        replica.close()
