"""Replies, as RESP3 writes them (https://valkey.io/topics/protocol/)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from hiredis import Reader

Reply = Any
"""bytes (a bulk string), str (a simple one), int, float, None, list, dict, Members, Scored, Push, or Confirmed."""


class CommandError(Exception):
    """An error reply. Its text begins with its code."""

    @property
    def text(self) -> str:
        """Code and message."""
        return str(self.args[0])


class Members(list[bytes]):
    """The members of a set."""


class Scored(list[tuple[bytes, float]]):
    """Members of a sorted set with their scores: pairs in RESP3, alternating in RESP2."""


class Push(list[Any]):
    """What is sent without a request."""


class Confirmed(list[Push]):
    """The replies to a SUBSCRIBE or UNSUBSCRIBE: one for each channel."""


def reader() -> Reader:
    """A parser of requests, which are arrays of bulk strings: `gets` returns False when no whole one is left."""
    return Reader()


def encoded(reply: Reply) -> bytes:
    """The bytes of a reply."""
    return _ENCODE[type(reply)](reply)


def _array(mark: bytes, parts: Iterable[Reply]) -> bytes:
    items = [encoded(each) for each in parts]
    return b"%b%d\r\n%b" % (mark, len(items), b"".join(items))


def _map(reply: dict[bytes, Reply]) -> bytes:
    pairs = [encoded(each) for pair in reply.items() for each in pair]
    return b"%%%d\r\n%b" % (len(reply), b"".join(pairs))


def _error(error: CommandError) -> bytes:
    return b"-%b\r\n" % error.text.replace("\r", " ").replace("\n", " ").encode()


_ENCODE: dict[type, Callable[[Any], bytes]] = {
    bytes: lambda reply: b"$%d\r\n%b\r\n" % (len(reply), reply),
    int: lambda reply: b":%d\r\n" % reply,
    type(None): lambda reply: b"_\r\n",
    str: lambda reply: b"+%b\r\n" % reply.encode(),
    float: lambda reply: b",%b\r\n" % double(reply),
    list: partial(_array, b"*"),
    Members: partial(_array, b"~"),
    Push: partial(_array, b">"),
    Scored: lambda reply: _array(b"*", map(list, reply)),
    Confirmed: lambda reply: b"".join(map(encoded, reply)),
    dict: _map,
    CommandError: _error,
}


def double(number: float) -> bytes:
    """A score as text: a whole number without a fraction."""
    if number in (float("inf"), float("-inf")):
        return b"inf" if number > 0 else b"-inf"
    return b"%d" % number if number == int(number) and abs(number) < 1e17 else repr(number).encode()
