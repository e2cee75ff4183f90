"""Message ids, which a receipt may spell differently from the response that gave them.

SMPP 3.4 section 5.2.23 leaves their form to the message centre. Some write a number in hexadecimal in submit_sm_resp
and in decimal in the receipt (Kannel has `msg-id-type` for that), in another case, or with other leading zeros.
"""

from __future__ import annotations

import re
from typing import Generic, TypeVar

T = TypeVar("T")
_DECIMAL = re.compile(r"[0-9]{1,64}", re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{1,64}", re.ASCII)


def values_of(id: str) -> set[int | str]:
    """The possible meanings of an id: a number in one or both bases, otherwise its letters in one case."""
    values: set[int | str] = set()
    if _DECIMAL.fullmatch(id):
        values.add(int(id))
    if _HEXADECIMAL.fullmatch(id):
        values.add(int(id, 16))
    return values or {id.casefold()}


class MessageIds(Generic[T]):
    """Values by message id; found by the exact id, otherwise by the meaning if only one id has it."""

    def __init__(self) -> None:
        self._things: dict[str, T] = {}
        self._by_value: dict[int | str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._things)

    def put(self, id: str, thing: T) -> None:
        """Store the value under this id, in place of the previous one; the newest is last."""
        self.pop(id)
        self._things[id] = thing
        for value in values_of(id):
            self._by_value.setdefault(value, set()).add(id)

    def match(self, id: str) -> str | None:
        """The stored id of which this one may be another spelling."""
        if id in self._things:
            return id
        found = set().union(*(self._by_value.get(value, ()) for value in values_of(id)))
        return found.pop() if len(found) == 1 else None

    def get(self, id: str) -> T | None:
        """The value of exactly this id."""
        return self._things.get(id)

    def pop(self, id: str) -> T | None:
        """Remove the value of exactly this id."""
        if id not in self._things:
            return None
        for value in values_of(id):
            ids = self._by_value[value]
            ids.discard(id)
            if not ids:
                del self._by_value[value]
        return self._things.pop(id)

    def pop_oldest(self) -> tuple[str, T]:
        """Remove the oldest value."""
        id = next(iter(self._things))
        thing = self._things[id]
        self.pop(id)
        return id, thing
