"""The simulated Redis answers as a real Valkey does, errors too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.redisio.acl import part_rules, rules
from cluster.redisio.keys import Keys
from cluster.simulated_redis.acl import Users
from cluster.simulated_redis.command import TABLE
from tests.harness import Valkey, start_valkey
from tests.unit.simulated_redis.both import Both, Real
from tests.unit.simulated_redis.strategies import CHANNELS, Command, of_scripts, of_streams, plain

EXAMPLES = 150


@pytest.fixture(scope="module")
def real() -> Iterator[Valkey]:
    """A real Valkey of this module, which its tests may empty."""
    server = start_valkey()
    yield server
    server.close()


def both(real: Valkey) -> Both:
    """Both of them, empty."""
    real.admin.flushall()
    connected = Both(real)
    connected.listen(CHANNELS)
    return connected


def run(real: Valkey, commands: list[Command]) -> None:
    connected = both(real)
    try:
        for command in commands:
            connected.same(*command)
    finally:
        connected.close()


@settings(max_examples=EXAMPLES)
@given(st.lists(plain, min_size=5, max_size=40))
def test_commands(real: Valkey, commands: list[Command]) -> None:
    run(real, commands)


@settings(max_examples=EXAMPLES)
@given(st.lists(of_streams, min_size=5, max_size=40))
def test_streams(real: Valkey, commands: list[Command]) -> None:
    run(real, commands)


@settings(max_examples=EXAMPLES)
@given(st.lists(st.one_of(of_scripts, of_scripts, plain, of_streams), min_size=5, max_size=40))
def test_our_scripts(real: Valkey, commands: list[Command]) -> None:
    run(real, commands)


@pytest.mark.parametrize("size_bytes", [10, 100])
@pytest.mark.parametrize("fields", [5, 700])
def test_a_hash_in_pages(real: Valkey, fields: int, size_bytes: int) -> None:
    connected = both(real)
    for number in range(fields):
        connected.same("HSET", "large", f"field {number}", b"x" * size_bytes)
    for count in (1, 10, 250):
        connected.scan("large", count)
    connected.close()


def test_the_table_of_commands(real: Valkey) -> None:
    """Arities, and what is read and written, which the rights of users depend on."""
    connected = Real(real)
    connected.ask("HELLO", 3)
    for name, command in TABLE.items():
        [told] = connected.ask("COMMAND", "INFO", name)
        assert command.arity == told[1], name
        flags = {flag.decode() for spec in told[8] for flag in spec[b"flags"]}
        assert command.access == "".join(letter for letter, needs in _NEEDS.items() if flags & needs), name
        if command.name != "eval":  # its commands write
            assert command.is_write == (b"write" in told[2]), name
    connected.close()


_NEEDS = {"R": {"access"}, "W": {"insert", "delete", "update"}}


LAB = Keys.of_lab("lab")
KEYS = [
    LAB.domains,
    LAB.journal,
    LAB.link("capulet.lit", "montague.lit"),
    LAB.link("montague.lit", "capulet.lit"),
    LAB.link("montague.lit", "capulet.lit/s2-2"),
    LAB.link("shakespeare.lit", "capulet.lit"),
    LAB.accounts("capulet.lit"),
    LAB.accounts("montague.lit"),
    LAB.peers("capulet.lit"),
    LAB.peers("montague.lit"),
    LAB.faults("capulet.lit"),
    LAB.lost("capulet.lit"),
    LAB.nodes("capulet.lit").members,
    LAB.nodes("capulet.lit").domains,
    LAB.nodes("montague.lit").domains,
    LAB.control("capulet.lit"),
    LAB.doorbell("montague.lit"),
    "other",
]
_keys = st.sampled_from(KEYS)
asked = st.one_of(
    st.tuples(st.sampled_from(["HGET", "SISMEMBER", "HDEL", "HSTRLEN"]), _keys, st.just("a")),
    st.tuples(st.sampled_from(["HSET", "HINCRBY"]), _keys, st.just("a"), st.just("1")),
    st.tuples(st.sampled_from(["HLEN", "XLEN", "SMEMBERS", "LLEN", "ZCARD", "DEL"]), _keys),
    st.tuples(st.just("XADD"), _keys, st.just("1-1"), st.just("b"), st.just("c")),
    st.tuples(st.sampled_from(["SADD", "PUBLISH", "RPUSH"]), _keys, st.just("a")),
    st.tuples(st.just("SUBSCRIBE"), _keys),
    st.tuples(st.just("XGROUP"), st.just("CREATE"), _keys, st.just("g"), st.just("0")),
    st.tuples(st.just("XINFO"), st.just("STREAM"), _keys),
    st.tuples(st.just("RENAME"), _keys, _keys),
    st.tuples(st.just("EVAL"), st.just("return redis.call('HGET', KEYS[1], 'a')"), st.just(1), _keys),
    st.tuples(st.just("EVAL"), st.just("return redis.call('HSET', ARGV[1], 'a', 'b')"), st.just(0), _keys),
    st.tuples(st.just("EVAL"), st.just("return redis.call('PUBLISH', ARGV[1], 'b')"), st.just(0), _keys),
)


@pytest.mark.parametrize("peers", [None, ["montague.lit"]])
@pytest.mark.parametrize("is_part", [False, True])
@given(commands=st.lists(asked, min_size=5, max_size=40))
def test_the_rights_of_a_domain(real: Valkey, peers: list[str] | None, is_part: bool, commands: list[Command]) -> None:
    rights = part_rules(LAB, "capulet.lit", "pw") if is_part else rules(LAB, "capulet.lit", "pw", peers)
    users = Users()
    users.set("xmpplab:lab:capulet.lit", rights)
    real.admin.flushall()
    real.admin.execute_command("ACL SETUSER", "xmpplab:lab:capulet.lit", *rights)
    connected = Both(real, users, ("xmpplab:lab:capulet.lit", "pw"))
    try:
        for command in commands:
            connected.same(*command)
    finally:
        connected.close()


def test_who_may_not_log_in(real: Valkey) -> None:
    users = Users()
    users.set("me", ["on", ">pw", "+ping"])
    real.admin.execute_command("ACL SETUSER", "me", "on", ">pw", "+ping")
    connected = Both(real, users, ("me", "pw"))
    for command in [("AUTH", "me", "other"), ("AUTH", "nobody", "pw"), ("HELLO", 3, "AUTH", "me", "x"), ("HELLO", 9)]:
        connected.same(*command)
    connected.close()
