"""What each server may do in Redis, so that no domain can speak for another (https://valkey.io/topics/acl/)."""

from __future__ import annotations

import re

from cluster.redisio.keys import Keys

_OWN = "hget hmget hset hsetnx hdel hexists hlen hkeys hgetall rpush blpop llen lrange ltrim del expire eval"
_READER = "xgroup|create xreadgroup xack xdel smembers hincrby"
_CONNECTION = "hello auth ping select subscribe publish"


def rules(keys: Keys, domain: str, password: str) -> list[str]:
    """The arguments of `ACL SETUSER <name>` for the server of a domain. Each selector stands for one thing it may do.

    What a server owns, it may read and change: its store, its control keys, the links into it. Elsewhere it may only
    append: to the journal, and to the links out of its own domain. On channels Redis cannot tell listening from
    speaking; a bell rung in vain costs its reader one empty read.
    """
    own = _literal(domain)
    prefix = _literal(keys.prefix)
    commands = " ".join(f"+{command}" for command in f"{_OWN} {_READER} {_CONNECTION}".split())
    return [
        "reset",
        "resetchannels",
        "on",
        f">{password}",
        *commands.split(),
        f"~{prefix}:store:{{{own}}}:*",
        f"~{prefix}:control:{{{own}}}",
        f"~{prefix}:control:{{{own}}}:*",
        f"~{prefix}:link:{{{own}}}:*",
        f"%R~{prefix}:peers:{{{own}}}",
        f"%R~{prefix}:faults:{{{own}}}",
        f"~{prefix}:lost:{{{own}}}",
        f"&{prefix}:bell:{{*}}",
        f"&{prefix}:faults:{{{own}}}",
        f"(+xadd +xinfo|stream +memory|usage ~{prefix}:link:{{*}}:{own})",
        f"(+xadd %W~{prefix}:journal)",
        f"(+sismember %R~{prefix}:domains)",
        f"(+sadd %W~{prefix}:peers:{{*}})",
    ]


def _literal(text: str) -> str:
    """As a pattern that matches only itself: an IPv6 domain has brackets."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
