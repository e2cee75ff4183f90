"""Streams, with their consumer groups (https://valkey.io/topics/streams-intro/)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import islice

EntryId = tuple[int, int]
"""Milliseconds and number."""
ZERO: EntryId = (0, 0)
LAST: EntryId = (2**64 - 1, 2**64 - 1)


class Group:
    """A consumer group: how far it was read, and what was given to a consumer and is not acknowledged."""

    def __init__(self, delivered: EntryId) -> None:
        self.delivered = delivered
        self.pending: dict[EntryId, bytes] = {}
        """The consumer, by the entry that it was given; in the order of the entries."""


class Stream:
    """Entries by their ids, which increase."""

    def __init__(self) -> None:
        self.fields: dict[EntryId, list[bytes]] = {}
        self.ids: list[EntryId] = []
        """In order."""
        self.last = self.max_deleted = ZERO
        self.added = 0
        self.groups: dict[bytes, Group] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __bool__(self) -> bool:
        """An empty stream is one too."""
        return True

    def append(self, id: EntryId, fields: list[bytes]) -> None:
        """Add an entry, whose id is above all others."""
        self.last = id
        self.added += 1
        self.ids.append(id)
        self.fields[id] = fields

    def delete(self, id: EntryId) -> bool:
        """Remove an entry; False where there is none."""
        if self.fields.pop(id, None) is None:
            return False
        del self.ids[bisect_left(self.ids, id)]
        self.max_deleted = max(self.max_deleted, id)
        return True

    def trim(self, count: int) -> None:
        """Remove this number of the oldest."""
        for id in self.ids[:count]:
            self.fields.pop(id)
        del self.ids[:count]

    def between(self, first: EntryId, last: EntryId, count: int | None) -> list[EntryId]:
        """The ids from `first` to `last`, both included."""
        begin, end = bisect_left(self.ids, first), bisect_right(self.ids, last)
        return self.ids[begin : end if count is None else min(end, begin + count)]

    def give(self, group: Group, consumer: bytes, count: int | None) -> list[EntryId]:
        """New entries for a consumer."""
        begin = bisect_right(self.ids, group.delivered)
        ids = self.ids[begin : None if count is None else begin + count]
        if ids:
            group.delivered = ids[-1]
            group.pending.update(dict.fromkeys(ids, consumer))
        return ids


def pending_after(group: Group, consumer: bytes, after: EntryId, count: int | None) -> list[EntryId]:
    """What a consumer was given and did not acknowledge, after this id."""
    given = (id for id, by in group.pending.items() if by == consumer and id > after)
    return [*islice(given, count)]
