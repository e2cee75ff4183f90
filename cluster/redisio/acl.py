"""The rights of each server in Redis, so that no domain can speak for another (https://valkey.io/topics/acl/)."""

from __future__ import annotations

import re
from collections.abc import Collection

from cluster.redisio.keys import Keys

_OWN = (
    "hget hmget hset hsetnx hdel hexists hlen hkeys hgetall hscan hstrlen hincrby rpush lpop blpop llen lrange ltrim "
    "zadd zcard zrange zrangebyscore zrank zrem zscore del expire rename eval"
)
_READER = "xgroup|create xreadgroup xack xdel xlen xrange smembers"
_WRITER = "+xadd +xlen +eval +xinfo|stream +memory|usage"
_CHANNELS = "subscribe unsubscribe publish"
_CONNECTION = "hello auth ping select cluster|slots cluster|info"


def rules(keys: Keys, domain: str, password: str, peers: Collection[str] | None = None) -> list[str]:
    """The arguments of `ACL SETUSER <name>` for the server of a domain. Each selector is one right.

    A server may read and change what it owns: its store, its control keys, the links into its domain. Elsewhere it may
    only append: to the journal, and to the links out of its own domain, with `peers` to it and those only; and read
    the list of domains. Any server may publish on a doorbell, which costs its reader one look at most; only the writer
    of a link can announce entries on it.

    What Redis cannot prevent: a hostile server can waste time and memory, and append false hops to the journal, or trim
    it.
    """
    own = _literal(domain)
    prefix = _literal(keys.prefix)
    ends = ["*"] if peers is None else [_literal(peer) for peer in (domain, *peers)]
    return [
        *part_rules(keys, domain, password),
        *_allowed(_READER),
        f"~{prefix}:link:{{{own}}}:*",
        f"~{prefix}:nodes:{{{own}}}:*",
        f"%R~{prefix}:peers:{{{own}}}",
        f"%R~{prefix}:faults:{{{own}}}",
        f"&{prefix}:doorbell:{{*}}",
        f"&{prefix}:link:{{{own}}}:*",
        f"&{prefix}:nodes:{{{own}}}:*",
        f"&{prefix}:faults:{{{own}}}",
        *(_links_out(f"{prefix}:link:{{{peer}}}:{own}") for peer in ends),
        *(_announced(f"{prefix}:link:{{{peer}}}:{own}") for peer in ends),
        f"(+hincrby ~{prefix}:lost:{{{own}}})",
        f"(+sismember %R~{prefix}:domains %R~{prefix}:nodes:{{*}}:known)",
        f"({_WRITER} +sismember +sadd ~{prefix}:nodes:{{{own}}}:*)",
        *(f"(+sadd %W~{prefix}:peers:{{{peer}}})" for peer in ends),
    ]


def part_rules(keys: Keys, name: str, password: str) -> list[str]:
    """As `rules`, for a gateway or a foreign network: it has a store and a control channel, but no links."""
    own, prefix = _literal(name), _literal(keys.prefix)
    return [
        "reset",
        "resetchannels",
        "on",
        f">{password}",
        *_allowed(f"{_OWN} {_CHANNELS} {_CONNECTION}"),
        f"~{prefix}:store:{{{own}}}:*",
        f"~{prefix}:control:{{{own}}}",
        f"~{prefix}:control:{{{own}}}:*",
        f"~{prefix}:control:{{{own}/*}}",
        f"~{prefix}:control:{{{own}/*}}:*",
        f"&{prefix}:control:{{{own}}}",
        f"&{prefix}:control:{{{own}/*}}",
        f"(+xadd %W~{prefix}:journal)",
    ]


def _links_out(links: str) -> str:
    return f"({_WRITER} ~{links} ~{links}/*)"


def _announced(links: str) -> str:
    return f"(+publish &{links} &{links}/*)"


def _allowed(commands: str) -> list[str]:
    return [f"+{command}" for command in commands.split()]


def _literal(text: str) -> str:
    """A pattern that matches only this text: an IPv6 domain has brackets."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
