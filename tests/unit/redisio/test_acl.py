from collections.abc import Iterator

import pytest
import redis

from cluster.redisio.acl import rules
from cluster.redisio.keys import Keys
from tests.harness import Valkey

CAPULET, MONTAGUE, SHAKESPEARE = "capulet.lit", "montague.lit", "shakespeare.lit"


@pytest.fixture
def capulet(valkey: Valkey, keys: Keys) -> Iterator[redis.Redis]:
    """The connection of capulet.lit's server."""
    user = f"{keys.prefix}:capulet"
    valkey.admin.execute_command("ACL", "SETUSER", user, *rules(keys, CAPULET, "pw"))
    client = redis.Redis(unix_socket_path=f"{valkey.folder}/redis.sock", username=user, password="pw", protocol=3)
    yield client
    client.close()


def test_what_a_server_needs_it_may(capulet: redis.Redis, keys: Keys) -> None:
    inbound, outbound = keys.link(CAPULET, MONTAGUE), keys.link(MONTAGUE, CAPULET)
    run = capulet.execute_command
    run("SISMEMBER", keys.domains, MONTAGUE)
    run("SADD", keys.peers(MONTAGUE), CAPULET)
    run("SMEMBERS", keys.peers(CAPULET))
    run("XADD", outbound, "1-1", "b", b"x")
    run("XINFO", "STREAM", outbound)
    run("XGROUP", "CREATE", inbound, CAPULET, "0", "MKSTREAM")
    run("XREADGROUP", "GROUP", CAPULET, "s2", "STREAMS", inbound, ">")
    run("XACK", inbound, CAPULET, "1-1")
    run("XDEL", inbound, "1-1")
    run("PUBLISH", keys.bell(MONTAGUE), CAPULET)
    run("XADD", keys.journal, "MAXLEN", "~", "1000", "*", "h", b"x")
    run("HSET", keys.accounts(CAPULET), "juliet", b"x")
    run("HSET", keys.roster(CAPULET, "juliet"), "romeo@montague.lit", b"x")
    run("RPUSH", keys.offline(CAPULET, "juliet"), b"x")
    run("HMGET", keys.archive(CAPULET, "juliet"), "x")
    run("BLPOP", keys.control(CAPULET), 0.001)
    run("RPUSH", keys.control_reply(CAPULET, "1"), b"x")
    run("EXPIRE", keys.control_reply(CAPULET, "1"), 60)


@pytest.mark.parametrize(
    "command",
    [
        ("XADD", "link {shakespeare.lit} montague.lit", "1-1", "b", "forged"),
        ("XADD", "link {capulet.lit} montague.lit", "1-1", "b", "forged"),
        ("XADD", "link {montague.lit} evilcapulet.lit", "1-1", "b", "forged"),
        ("XDEL", "link {montague.lit} capulet.lit", "1-1"),
        ("DEL", "link {montague.lit} capulet.lit"),
        ("XREADGROUP", "GROUP", "shakespeare.lit", "s3", "STREAMS", "link {shakespeare.lit} montague.lit", ">"),
        ("XRANGE", "link {montague.lit} capulet.lit", "-", "+"),
        ("SADD", "domains", "evil.lit"),
        ("SMEMBERS", "domains"),
        ("SMEMBERS", "peers {montague.lit}"),
        ("HGET", "store {montague.lit} accounts", "romeo"),
        ("HSET", "store {montague.lit} accounts", "romeo", "forged"),
        ("LRANGE", "store {montague.lit} offline:romeo", "0", "-1"),
        ("BLPOP", "control {montague.lit}", "0.001"),
        ("RPUSH", "control {montague.lit}", "delete everything"),
        ("PUBLISH", "news", "x"),
        ("XRANGE", "journal", "-", "+"),
        ("DEL", "journal"),
        ("KEYS", "*"),
        ("SCAN", "0"),
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_everything_else_is_refused(capulet: redis.Redis, keys: Keys, command: tuple[str, ...]) -> None:
    names = ("link ", "domains", "peers ", "store ", "control ", "journal")
    words = [f"{keys.prefix}:{word.replace(' ', ':')}" if word.startswith(names) else word for word in command]
    with pytest.raises(redis.exceptions.NoPermissionError):
        capulet.execute_command(*words)


def test_a_script_reaches_no_further_than_its_user(capulet: redis.Redis, keys: Keys) -> None:
    with pytest.raises(redis.exceptions.ResponseError, match=r"ACL failure|NOPERM|permission"):
        capulet.eval("return redis.call('HGET', ARGV[1], 'romeo')", 0, keys.accounts(MONTAGUE))


def test_a_domain_with_pattern_characters_means_only_itself(valkey: Valkey, keys: Keys) -> None:
    user = f"{keys.prefix}:ip"
    valkey.admin.execute_command("ACL", "SETUSER", user, *rules(keys, "[::1]", "pw"))
    with redis.Redis(unix_socket_path=f"{valkey.folder}/redis.sock", username=user, password="pw") as client:
        client.hset(keys.accounts("[::1]"), "juliet", b"x")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.hset(keys.accounts("1"), "juliet", b"x")
