from collections.abc import Iterator

import pytest
import redis

from cluster.redisio.acl import part_rules, rules
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
    run("MEMORY", "USAGE", outbound, "SAMPLES", "0")
    run("HGETALL", keys.faults(CAPULET))
    run("HINCRBY", keys.lost(CAPULET), MONTAGUE, 1)
    run("XGROUP", "CREATE", inbound, CAPULET, "0", "MKSTREAM")
    run("XREADGROUP", "GROUP", CAPULET, "s2", "STREAMS", inbound, ">")
    run("XACK", inbound, CAPULET, "1-1")
    run("XDEL", inbound, "1-1")
    run("PUBLISH", keys.doorbell(MONTAGUE), CAPULET)
    run("PUBLISH", outbound, "1-1 1-2 x")
    with capulet.pubsub() as ear:
        ear.subscribe(inbound)
        ear.unsubscribe(inbound)
        assert [ear.get_message(timeout=60)["type"] for _ in range(2)] == ["subscribe", "unsubscribe"]
    run("XADD", keys.journal, "MAXLEN", "~", "1000", "*", "h", b"x")
    run("HSET", keys.accounts(CAPULET), "juliet", b"x")
    run("HSET", keys.roster(CAPULET, "juliet"), "romeo@montague.lit", b"x")
    run("RPUSH", keys.offline(CAPULET, "juliet"), b"x")
    run("HSCAN", keys.roster(CAPULET, "juliet"), 0)
    run("HSTRLEN", keys.archive(CAPULET, "juliet"), "x")
    run("LPOP", keys.control(CAPULET))
    run("PUBLISH", keys.control(CAPULET), "")
    run("BLPOP", keys.control_reply(CAPULET, "1"), 0.001)
    run("RPUSH", keys.control_reply(CAPULET, "1"), b"x")
    run("EXPIRE", keys.control_reply(CAPULET, "1"), 60)


STOLEN = {
    "write to a link of another": [
        "XADD link:{shakespeare.lit}:montague.lit 1-1 b forged",
        "XADD link:{capulet.lit}:montague.lit 1-1 b forged",
        "XADD link:{montague.lit}:evilcapulet.lit 1-1 b forged",
        "XADD link:{montague.lit}:shakespeare.lit NOMKSTREAM * b forged",
        "EVAL return(redis.call('XADD',KEYS[1],'*','b','x')) 1 link:{shakespeare.lit}:montague.lit",
    ],
    "announce on a link of another": [
        "PUBLISH link:{shakespeare.lit}:montague.lit x",
        "PUBLISH link:{montague.lit}:shakespeare.lit x",
        "PUBLISH link:{montague.lit}:evilcapulet.lit x",
        "EVAL return(redis.call('PUBLISH',KEYS[1],'x')) 1 link:{shakespeare.lit}:montague.lit",
        "EVAL return(redis.call('PUBLISH',ARGV[1],'x')) 0 link:{shakespeare.lit}:montague.lit",
        "SPUBLISH link:{montague.lit}:capulet.lit x",
    ],
    "take back or read what it sent": [
        "XDEL link:{montague.lit}:capulet.lit 1-1",
        "DEL link:{montague.lit}:capulet.lit",
        "XRANGE link:{montague.lit}:capulet.lit - +",
        "XTRIM link:{montague.lit}:capulet.lit MAXLEN 0",
        "XSETID link:{montague.lit}:capulet.lit 9-9",
        "XINFO GROUPS link:{montague.lit}:capulet.lit",
        "XGROUP DESTROY link:{montague.lit}:capulet.lit montague.lit",
        "EXPIRE link:{montague.lit}:capulet.lit 1",
    ],
    "read or acknowledge for another": [
        "XREADGROUP GROUP shakespeare.lit s3 STREAMS link:{shakespeare.lit}:montague.lit >",
        "XREAD STREAMS link:{shakespeare.lit}:montague.lit 0",
        "XACK link:{shakespeare.lit}:montague.lit shakespeare.lit 1-1",
        "XACK link:{shakespeare.lit}:capulet.lit shakespeare.lit 1-1",
        "XGROUP CREATE link:{shakespeare.lit}:montague.lit shakespeare.lit 0 MKSTREAM",
        "XINFO STREAM link:{shakespeare.lit}:montague.lit",
        "MEMORY USAGE link:{shakespeare.lit}:montague.lit",
        "SUBSCRIBE faults:{montague.lit}",
        "SUBSCRIBE link:{montague.lit}:capulet.lit",
        "SUBSCRIBE link:{shakespeare.lit}:montague.lit",
        "PSUBSCRIBE link:*",
        "PSUBSCRIBE doorbell:*",
    ],
    "the store of another": [
        "HGET store:{montague.lit}:accounts romeo",
        "HGETALL store:{montague.lit}:accounts",
        "HSET store:{montague.lit}:accounts romeo forged",
        "HSETNX store:{montague.lit}:accounts mercutio forged",
        "HDEL store:{montague.lit}:accounts romeo",
        "DEL store:{montague.lit}:roster:romeo",
        "LRANGE store:{montague.lit}:offline:romeo 0 -1",
        "RPUSH store:{montague.lit}:offline:romeo forged",
        "LTRIM store:{montague.lit}:offline:romeo 1 0",
        "HGET store:{capulet.lit}x:accounts romeo",
        "EVAL return(redis.call('HGETALL',KEYS[1])) 1 store:{montague.lit}:accounts",
        "EVAL return(redis.call('DEL',ARGV[1])) 0 store:{montague.lit}:accounts",
        "EVAL return(redis.call('FLUSHALL')) 0",
        "RENAME store:{montague.lit}:accounts store:{capulet.lit}:accounts",
        "COPY store:{montague.lit}:accounts store:{capulet.lit}:accounts",
        "DUMP store:{montague.lit}:accounts",
        "EXISTS store:{montague.lit}:accounts",
        "BLPOP store:{montague.lit}:offline:romeo 0.001",
    ],
    "what the lab's operator asks of another": [
        "BLPOP control:{montague.lit} 0.001",
        "LPOP control:{montague.lit}",
        "PUBLISH control:{montague.lit} x",
        "SUBSCRIBE control:{montague.lit}",
        "RPUSH control:{montague.lit} delete-everything",
        "RPUSH control:{montague.lit}:reply:1 forged",
        "LRANGE control:{montague.lit} 0 -1",
    ],
    "faults": [
        "HSET faults:{capulet.lit} montague.lit {}",
        "HDEL faults:{capulet.lit} montague.lit",
        "DEL faults:{capulet.lit}",
        "HINCRBY faults:{capulet.lit} montague.lit 1",
        "HGETALL faults:{montague.lit}",
        "HSET faults:{montague.lit} capulet.lit {}",
        "PUBLISH faults:{montague.lit} capulet.lit",
        "HINCRBY lost:{montague.lit} capulet.lit 1",
        "HSET lost:{capulet.lit} montague.lit junk",
    ],
    "what all share": [
        "SADD domains evil.lit",
        "SREM domains montague.lit",
        "SMEMBERS domains",
        "DEL domains",
        "SMEMBERS peers:{montague.lit}",
        "SREM peers:{montague.lit} shakespeare.lit",
        "DEL peers:{capulet.lit}",
        "SADD store:{montague.lit}:accounts x",
        "XRANGE journal - +",
        "XREVRANGE journal + -",
        "XDEL journal 1-1",
        "XTRIM journal MAXLEN 0",
        "DEL journal",
        "PUBLISH news x",
        "SPUBLISH doorbell:{montague.lit} x",
        "KEYS *",
        "SCAN 0",
        "RANDOMKEY",
        "DBSIZE",
    ],
    "Redis itself": [
        "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "SHUTDOWN NOSAVE", "SAVE", "BGREWRITEAOF",
        "CONFIG GET *", "CONFIG SET maxmemory 1", "ACL LIST", "ACL GETUSER default", "ACL SETUSER x on", "ACL WHOAMI",
        "ACL DELUSER default", "CLIENT LIST", "CLIENT KILL TYPE normal", "CLIENT PAUSE 1", "MONITOR", "INFO",
        "SLOWLOG GET", "LATENCY DOCTOR", "MODULE LIST", "REPLICAOF NO ONE", "PSYNC ? -1",
        "CLUSTER RESET", "CLUSTER SETSLOT 1 STABLE", "CLUSTER MEET 127.0.0.1 1",
        "SCRIPT FLUSH", "SCRIPT LOAD return(1)", "EVALSHA 0 0", "FUNCTION LIST", "FUNCTION LOAD x", "FCALL x 0",
        "MULTI", "WATCH journal", "MIGRATE 127.0.0.1 1 x 0 1", "WAIT 0 0", "MEMORY PURGE", "COMMAND LIST",
    ],
}  # fmt: skip
NAMES = ("link:", "domains", "peers:", "store:", "control:", "journal", "faults:", "lost:", "doorbell:")


@pytest.mark.parametrize("line", [line for lines in STOLEN.values() for line in lines])
def test_everything_else_is_refused(capulet: redis.Redis, keys: Keys, line: str) -> None:
    words = [f"{keys.prefix}:{word}" if word.startswith(NAMES) else word for word in line.split()]
    with pytest.raises(redis.exceptions.ResponseError, match=r"permission|ACL failure"):
        capulet.execute_command(*words)


def test_what_was_tried_changed_nothing(capulet: redis.Redis, valkey: Valkey, keys: Keys) -> None:
    valkey.admin.hset(keys.accounts(MONTAGUE), "romeo", b"x")
    valkey.admin.xadd(keys.link(SHAKESPEARE, MONTAGUE), {"b": b"x"})
    valkey.admin.hset(keys.faults(CAPULET), MONTAGUE, b"{}")
    before = {key: valkey.admin.dump(key) for key in valkey.admin.scan_iter(f"{keys.prefix}:*")}
    for line in (line for lines in STOLEN.values() for line in lines):
        with pytest.raises(redis.exceptions.ResponseError):
            capulet.execute_command(*(f"{keys.prefix}:{w}" if w.startswith(NAMES) else w for w in line.split()))
    assert {key: valkey.admin.dump(key) for key in valkey.admin.scan_iter(f"{keys.prefix}:*")} == before


def test_another_database_is_no_way_around(capulet: redis.Redis, keys: Keys) -> None:
    capulet.execute_command("SELECT", 1)
    with pytest.raises(redis.exceptions.NoPermissionError):
        capulet.hset(keys.accounts(MONTAGUE), "romeo", b"forged")


def test_a_part_without_links_has_none(valkey: Valkey, keys: Keys) -> None:
    user = f"{keys.prefix}:g1"
    valkey.admin.execute_command("ACL", "SETUSER", user, *part_rules(keys, "sms.montague.lit", "pw"))
    with redis.Redis(unix_socket_path=f"{valkey.folder}/redis.sock", username=user, password="pw") as gateway:
        gateway.hset(keys.gateway("sms.montague.lit", "seen"), "1", b"x")
        for command in (
            ("XADD", keys.link(CAPULET, "sms.montague.lit"), "*", "b", "x"),
            ("SADD", keys.peers(CAPULET), "sms.montague.lit"),
            ("PUBLISH", keys.doorbell(CAPULET), MONTAGUE),
            ("SUBSCRIBE", keys.doorbell(MONTAGUE)),
            ("HGET", keys.accounts(MONTAGUE), "romeo"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                gateway.execute_command(*command)


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


def test_with_peers_it_may_write_to_those_only(valkey: Valkey, keys: Keys) -> None:
    user = f"{keys.prefix}:capulet"
    valkey.admin.execute_command("ACL", "SETUSER", user, *rules(keys, CAPULET, "pw", [MONTAGUE]))
    client = redis.Redis(unix_socket_path=f"{valkey.folder}/redis.sock", username=user, password="pw", protocol=3)
    client.execute_command("XADD", keys.link(MONTAGUE, CAPULET), "1-1", "b", b"x")
    client.execute_command("PUBLISH", keys.link(MONTAGUE, CAPULET), "x")
    client.execute_command("SADD", keys.peers(MONTAGUE), CAPULET)
    for words in (
        ("XADD", keys.link(SHAKESPEARE, CAPULET), "1-1", "b", b"x"),
        ("PUBLISH", keys.link(SHAKESPEARE, CAPULET), "x"),
        ("SADD", keys.peers(SHAKESPEARE), CAPULET),
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*words)
    client.close()
