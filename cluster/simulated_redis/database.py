"""The keys of a Redis and their values. It has no clock: each command gets the time as an argument."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from copy import deepcopy
from heapq import heappop, heappush
from typing import TypeVar

from cluster.simulated_redis.resp import CommandError, Reply
from cluster.simulated_redis.stream import Stream


class Hash(dict[bytes, bytes]):
    """Values by field."""


class Set(dict[bytes, None]):
    """Members, in the order in which they were added."""


class List(list[bytes]):
    """Elements, in order."""


class SortedSet:
    """Members by score, and by themselves among equal scores."""

    def __init__(self) -> None:
        self.scores: dict[bytes, float] = {}
        self.order: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self.scores)

    def put(self, member: bytes, score: float) -> bool:
        """Add a member, or change its score; True where it is new."""
        is_new = not self.remove(member)
        self.scores[member] = score
        insort(self.order, (score, member))
        return is_new

    def remove(self, member: bytes) -> bool:
        """Remove a member; False where there is none."""
        score = self.scores.pop(member, None)
        if score is None:
            return False
        del self.order[self.rank(member, score)]
        return True

    def rank(self, member: bytes, score: float) -> int:
        """The place of a member that has this score."""
        return bisect_left(self.order, (score, member))


Value = Hash | Set | List | SortedSet | Stream
_V = TypeVar("_V", Hash, Set, List, SortedSet, Stream)


class Database:
    """All keys."""

    def __init__(self) -> None:
        self.values: dict[bytes, Value] = {}
        self.now_ms = 0
        """The time of the present command, since the epoch."""
        self.publish: Callable[[bytes, bytes], int] = lambda channel, message: 0
        """Sends a message to those who listen to a channel; returns their number."""
        self.run_script: Callable[[bytes, list[bytes], list[bytes]], Reply] = _no_scripts
        """Runs a script with its keys and its arguments."""
        self._expires_ms: dict[bytes, int] = {}
        self._expiring: list[tuple[int, bytes]] = []

    def at(self, now_ms: int) -> None:
        """It is this time now: what has expired is gone."""
        self.now_ms = now_ms
        while self._expiring and self._expiring[0][0] <= now_ms:
            at_ms, key = heappop(self._expiring)
            if self._expires_ms.get(key) == at_ms:
                self.delete(key)

    def read(self, key: bytes, kind: type[_V]) -> _V | None:
        """The value of a key, None if it has none. Raises CommandError where it is of another kind."""
        value = self.values.get(key)
        if value is None or type(value) is kind:
            return value
        raise CommandError("WRONGTYPE Operation against a key holding the wrong kind of value")

    def open(self, key: bytes, kind: type[_V]) -> _V:
        """As `read`, and a new value where there is none."""
        value = self.read(key, kind)
        if value is None:
            value = self.values[key] = kind()
        return value

    def drop_if_empty(self, key: bytes) -> None:
        """Only streams may be empty."""
        if not self.values[key]:
            self.delete(key)

    def delete(self, key: bytes) -> bool:
        """Remove a key; False where there is none."""
        self._expires_ms.pop(key, None)
        return self.values.pop(key, None) is not None

    def expire(self, key: bytes, in_ms: int) -> None:
        """Let a key expire."""
        at_ms = self._expires_ms[key] = self.now_ms + in_ms
        heappush(self._expiring, (at_ms, key))

    def rename(self, key: bytes, to: bytes) -> None:
        """Give a key another name, in place of what has that name."""
        value, expires_ms = self.values[key], self._expires_ms.get(key)
        self.delete(key)
        self.delete(to)
        self.values[to] = value
        if expires_ms is not None:
            self.expire(to, expires_ms - self.now_ms)

    def become(self, other: Database) -> None:
        """Have the same keys as another one, in place of these."""
        self.values, self._expires_ms = deepcopy(other.values), dict(other._expires_ms)
        self._expiring = [*other._expiring]


def _no_scripts(text: bytes, keys: list[bytes], arguments: list[bytes]) -> Reply:
    raise CommandError("ERR this Redis runs no scripts")
