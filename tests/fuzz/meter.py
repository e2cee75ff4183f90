"""Counts what code does to bytes: how many it looks at or copies. Time would tell the same less surely.

Counted are the operations of the bytes and bytearrays that come of the input, regular expressions, and expat, which
looks again at a token that it was given in pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from cluster.xmpp import parser as parsers
from cluster.xmpp import tokens
from cluster.xmpp.parser import StreamParser


class Meter:
    """The steps so far."""

    def __init__(self) -> None:
        self.steps = 0


def _metered(base: type, meter: Meter) -> type:
    """A type of bytes whose operations count."""

    def counting(name: str) -> Any:
        plain = getattr(base, name)

        def call(self: Any, *args: Any) -> Any:
            result = plain(self, *args)
            is_copy = isinstance(result, bytes | bytearray)
            meter.steps += len(result) if is_copy else len(self)
            return made(result) if is_copy and type(result) is base else result

        return call

    def added(self: Any, other: Any) -> Any:
        if isinstance(other, bytearray):  # grows in place
            other.extend(self)
            meter.steps += len(self)
            return other
        meter.steps += len(other) + len(self)
        return made(bytes(other) + bytes(self))

    names = ["find", "rfind", "index", "rindex", "count", "split", "strip", "__contains__", "__getitem__", "__add__"]
    made: Any = type(f"Metered_{base.__name__}", (base,), {name: counting(name) for name in names})
    made.__bytes__ = lambda self: _copied(self, meter)
    if base is bytes:
        made.__radd__ = added
    return made


def _copied(data: Any, meter: Meter) -> bytes:
    meter.steps += len(data)
    return b"".join([data])


class _Pattern:
    """A regular expression: a match counts what it spans, none all that it was shown."""

    def __init__(self, pattern: re.Pattern[bytes], meter: Meter) -> None:
        self._pattern, self._meter = pattern, meter

    def __getattr__(self, name: str) -> Any:
        def call(data: bytes, at: int = 0, end: int | None = None) -> Any:
            end = len(data) if end is None else end
            found = getattr(self._pattern, name)(data, at, end)
            self._meter.steps += (found.end() if found else end) - at
            return found

        return call


class _Expat:
    """An expat parser: it looks at what it is given, and again at what it has not taken before."""

    def __init__(self, expat: Any, meter: Meter) -> None:
        self.__dict__.update(_expat=expat, _meter=meter, _given=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._expat, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._expat, name, value)

    def Parse(self, data: bytes, is_final: bool) -> None:
        left = self._given - max(0, self._expat.CurrentByteIndex)
        self.__dict__["_given"] += len(data)
        self._meter.steps += left + len(data)
        self._expat.Parse(data, is_final)


@contextmanager
def metered() -> Iterator[tuple[Meter, type[bytes], type[StreamParser]]]:
    """Meanwhile the parser counts: the meter, the type that its input must have, and its own type."""
    meter = Meter()
    given, grown = _metered(bytes, meter), _metered(bytearray, meter)

    class Parser(StreamParser):
        def _new_expat(self) -> Any:
            return _Expat(super()._new_expat(), meter)

    with _replaced(parsers, meter, grown), _replaced(tokens, meter, grown):
        yield meter, given, Parser


@contextmanager
def _replaced(module: ModuleType, meter: Meter, grown: type) -> Iterator[None]:
    def wrapped(value: Any) -> Any:
        if isinstance(value, re.Pattern):
            return _Pattern(value, meter)
        if isinstance(value, dict) and any(isinstance(each, re.Pattern) for each in value.values()):
            return {key: wrapped(each) for key, each in value.items()}
        return value

    before = dict(vars(module))
    vars(module).update({name: wrapped(value) for name, value in before.items()}, bytearray=grown)
    try:
        yield
    finally:
        vars(module).update(before)
        del vars(module)["bytearray"]
