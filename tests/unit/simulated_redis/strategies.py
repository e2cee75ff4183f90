"""Random commands, and random calls of the scripts of store, router and membership."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from cluster.membership import assignment, members, owners
from cluster.redisio import pages
from cluster.router import link_script
from cluster.store import redis as store
from cluster.store import redis_archives as archives
from cluster.store import redis_offline as offline
from cluster.store import redis_pubsub_scripts as pubsub
from cluster.store import redis_replace
from tests.unit.simulated_redis.both import Word

Command = tuple[Word, ...]
HASHES = ("h1", "h2")
LISTS = ("l1", "l2")
SETS = ("s1", "s2")
SORTED = ("z1", "z2")
STREAMS = ("x1", "x2")
CHANNELS = ("x1", "bell")
KEYS = st.sampled_from([*HASHES, *LISTS, *SETS, *SORTED, *STREAMS, "none"])

hashes, lists, sets, sorts, streams = map(st.sampled_from, (HASHES, LISTS, SETS, SORTED, STREAMS))
words = st.sampled_from(["", "a", "b", "c", "n1#i1", "n2#i2", "n1", "inbox n1", "é", "\0"])
values = st.one_of(
    words, st.integers(-3, 12), st.sampled_from(["9223372036854775807", "-9223372036854775808", "01", "x"])
)
numbers = st.one_of(st.integers(-4, 6), st.sampled_from(["x", "", "1.5"]))
scores = st.one_of(
    st.integers(-2, 3), st.sampled_from(["1700000000000000", "1700000000123456", "1.5", "-inf", "q", "1e3"])
)
ids = st.one_of(
    st.builds("{}-{}".format, st.integers(0, 4), st.integers(0, 3)),
    st.sampled_from(["0", "3", "x", "1-x", "18446744073709551615-18446744073709551615", "18446744073709551616-0", ""]),
)
packed = st.builds(
    lambda id, number: msgspec.msgpack.encode([id, number]), st.sampled_from(["a", "b", "c"]), st.integers(0, 300)
)


def _of(name: str, *parts: st.SearchStrategy[Word]) -> st.SearchStrategy[Command]:
    return st.tuples(st.just(name), *parts)


def _many(head: st.SearchStrategy[Command], *each: st.SearchStrategy[Word]) -> st.SearchStrategy[Command]:
    """With one or more repetitions of the parts."""
    more = st.lists(st.tuples(*each), min_size=1, max_size=4)
    return st.builds(lambda first, rest: (*first, *(part for group in rest for part in group)), head, more)


def _key(of_kind: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Mostly of this kind."""
    return st.one_of(of_kind, of_kind, of_kind, of_kind, KEYS)


_h, _l, _s, _z, _x = map(_key, (hashes, lists, sets, sorts, streams))
_group = st.sampled_from(["g1", "g2"])

plain = st.one_of(
    _of("HGET", _h, words),
    _of("HMGET", _h, words),
    _of("HMGET", _h, words, words),
    _many(_of("HSET", _h), words, values),
    _of("HSETNX", _h, words, values),
    _many(_of("HDEL", _h), words),
    _of("HEXISTS", _h, words),
    _of("HLEN", _h),
    _of("HSTRLEN", _h, words),
    _of("HKEYS", _h),
    _of("HGETALL", _h),
    _of("HINCRBY", _h, words, values),
    _of("HSCAN", _h, st.just(0)),
    _many(_of("RPUSH", _l), values),
    _many(_of("LPUSH", _l), values),
    _of("LPOP", _l),
    _of("LPOP", _l, numbers),
    _of("LLEN", _l),
    _of("LRANGE", _l, numbers, numbers),
    _of("LTRIM", _l, numbers, numbers),
    _many(_of("SADD", _s), words),
    _of("SMEMBERS", _s),
    _of("SISMEMBER", _s, words),
    _many(_of("ZADD", _z), scores, words),
    _of("ZCARD", _z),
    _of("ZSCORE", _z, words),
    _of("ZRANK", _z, words),
    _many(_of("ZREM", _z), words),
    _of("ZRANGE", _z, numbers, numbers),
    _of("ZRANGE", _z, numbers, numbers, st.sampled_from(["WITHSCORES", "withscores", "nope"])),
    _of("ZRANGEBYSCORE", _z, scores, scores),
    _of("ZRANGEBYSCORE", _z, st.just("-inf"), st.sampled_from(["(1", "(2", "+inf"])),
    _of("DEL", KEYS),
    _of("DEL", KEYS, KEYS),
    _of("RENAME", KEYS, KEYS),
    _of("EXPIRE", KEYS, st.sampled_from([-1, 0, 5_000, "x"])),
    _of("PUBLISH", st.sampled_from([*CHANNELS, "nobody"]), words),
    _of("PING"),
    _of("PING", words),
    _of("SELECT", st.sampled_from([0, 99, "x"])),
    st.tuples(
        st.sampled_from(["HGET", "hset", "LLEN", "XGROUP", "XINFO", "XREADGROUP", "NOPE", "XADD", "EVAL"]), words
    ),
    _of("XINFO", st.sampled_from(["STREAM", "nope"]), _x),
)
of_streams = st.one_of(
    _of("XADD", _x, ids, st.just("b"), values),
    _of("XADD", _x, ids, st.just("b")),
    _of("XADD", _x, st.just("MAXLEN"), st.sampled_from([0, 1, 2, "x"]), ids, st.just("b"), values),
    _of("XADD", _x, st.just("MAXLEN"), st.just("="), st.sampled_from([0, 1, 2]), ids, st.just("b"), values),
    _of("XLEN", _x),
    _many(_of("XDEL", _x), ids),
    _of("XRANGE", _x, st.one_of(ids, st.just("-")), st.one_of(ids, st.just("+"))),
    _of("XRANGE", _x, st.just("-"), ids, st.just("COUNT"), st.sampled_from([1, 2, "x"])),
    _of("XINFO", st.just("STREAM"), _x),
    _many(_of("XACK", _x, _group), ids),
    _of("XGROUP", st.just("CREATE"), _x, _group, st.one_of(ids, st.just("$"))),
    _of("XGROUP", st.just("CREATE"), _x, _group, st.one_of(ids, st.just("$")), st.just("MKSTREAM")),
    st.builds(
        lambda group, who, count, key, id: ("XREADGROUP", "GROUP", group, who, "COUNT", count, "STREAMS", key, id),
        _group,
        st.sampled_from(["reader", "other"]),
        st.sampled_from([1, 2, 64]),
        _x,
        st.one_of(ids, st.just(">"), st.just(">")),
    ),
)


def _script(
    text: str, keys: list[st.SearchStrategy[str]], *arguments: st.SearchStrategy[Word]
) -> st.SearchStrategy[Command]:
    return st.tuples(st.just("EVAL"), st.just(text), st.just(len(keys)), *keys, *arguments)


_counts = st.integers(0, 4)
_sizes = st.integers(0, 60)
_times = st.sampled_from([0, 3, 1_700_000_000_000_000, 1_700_000_000_123_456])
_ids = st.builds("{}-{}".format, st.integers(1, 4), st.integers(0, 3))
_node: list[st.SearchStrategy[str]] = [sorts, hashes, st.just("sizes")]

of_scripts = st.one_of(
    _script(link_script.WRITE, [streams], _ids, _ids, values, st.just("bell"), words),
    _script(link_script.WRITE_AGAIN, [_x], _ids, _ids, values, st.just("bell"), words),
    _script(members._BEAT, [hashes, st.just("beats")], words, words),
    _script(members._FENCE, [hashes, st.just("beats")], words, words, words),
    _script(members.GIVE_UP, [hashes], words, words),
    _script(owners._CLAIM, [hashes, hashes, hashes], words, words, words, words, st.sampled_from(["0", "1"])),
    _script(assignment._TAKE, [hashes, hashes], words, words, words, words),
    _script(pages._PAGE, [hashes], st.just(0), st.just(250), _sizes),
    _script(
        offline._PUSH_BELOW_LIMIT,
        [_l, st.just("sizes")],
        words,
        values,
        _counts,
        _sizes,
        _sizes,
        st.sampled_from(["LPUSH", "RPUSH"]),
    ),
    _script(offline._DROP, [lists, st.just("sizes")], words, _counts),
    _script(offline._PAGE, [lists], _counts, _sizes),
    _script(store._SET_BELOW_LIMIT, [hashes], words, values, _counts, _sizes),
    _script(redis_replace.REPLACE, [_h], words, values, values),
    _script(
        store._FORGET_ACCOUNT,
        [hashes, hashes, hashes, hashes, st.just("sizes")],
        words,
        words,
        st.just(2),
        words,
        words,
    ),
    _script(store._SEED, [hashes, st.just("seeded"), hashes], words, values, words, values),
    _script(archives._FORGET_OLDEST, [st.just("index"), st.just("messages")], _counts),
    _script(archives._FORGET_OLDEST, [st.just("index"), st.just("messages")], _counts, _sizes),
    _many(_of("RPUSH", st.just("index")), packed),
    _of("HSET", st.just("messages"), st.sampled_from(["a", "b", "c"]), values),
    _script(archives._READ, [_h], _sizes, words, words),
    _script(archives._REPLACE, [hashes], words, values),
    _script(pubsub.PUBLISH, _node, words, words, values, _times, _counts, _sizes, _times, st.sampled_from([0, 1])),
    _script(pubsub.RETRACT, _node, words, words),
    _script(pubsub.TRIM, _node, words, _counts, _times),
    _script(pubsub.PURGE, _node, words),
    _script(pubsub.DELETE, [*_node, hashes], words, words),
    _script(
        pubsub.PAGE, _node, words, _times, _counts, words, st.one_of(words, st.sampled_from(["-", "-a", "-b"])), _sizes
    ),
    _script(pubsub.FIND, _node, words, _times, _sizes, words, words),
    _script(pubsub.NEWEST, [sorts, hashes, sorts, hashes]),
)
