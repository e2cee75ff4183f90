"""What was said last in a room, for those who enter (XEP-0045 sections 7.2.13 and 7.2.14)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from cluster.services.rooms.copies import Copies
from cluster.xmpp import timestamp
from cluster.xmpp.extensions.muc import HistoryRequest
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, DELAY, HINTS

MAX_MESSAGES = 100
"""Of one room, whatever its configuration says."""
MAX_BYTES = 262_144
"""Of one room."""
_END = b"</message>"
_SAID = frozenset((f"{CLIENT} body", f"{HINTS} store"))


def is_said(payloads: tuple[str, ...]) -> bool:
    """A message with these children is for the history: not a mere subject or chat state."""
    return not _SAID.isdisjoint(payloads)


class Said(msgspec.Struct, frozen=True, gc=False):
    """One message of the history."""

    id: str
    """Its stanza-id (XEP-0359)."""
    copies: Copies
    came_utc_s: float
    characters: int
    """Of the whole stanza, without its `to`."""


class History:
    """The last messages of one room."""

    def __init__(self, room: Jid) -> None:
        self._room = room
        self._said: deque[Said] = deque()
        self._size_bytes = 0

    def __iter__(self) -> Iterator[Said]:
        return iter(self._said)

    def __contains__(self, id: str) -> bool:
        """Whether a message with this stanza-id is in it."""
        return any(said.id == id for said in self._said)

    def add(self, id: str, copies: Copies, came_utc_s: float) -> None:
        """Keep it as the newest."""
        self._said.append(Said(id, copies, came_utc_s, _characters(copies)))
        self._size_bytes += len(copies.behind)
        while len(self._said) > MAX_MESSAGES or self._size_bytes > MAX_BYTES:
            self._size_bytes -= len(self._said.popleft().copies.behind)

    def replace(self, id: str, copies: Copies) -> None:
        """Have this in place of the message with the id, if it is there."""
        for place, said in enumerate(self._said):
            if said.id == id:
                self._size_bytes += len(copies.behind) - len(said.copies.behind)
                self._said[place] = Said(id, copies, said.came_utc_s, _characters(copies))

    def select(self, request: HistoryRequest, most: int, now_utc_s: float) -> list[Copies]:
        """What somebody gets who asks so, oldest first, each with the time when it came; `most`: of the room."""
        limit = most if request.max_stanzas is None else min(most, request.max_stanzas)
        since_utc_s = request.since_utc_s or 0.0
        if request.seconds is not None:
            since_utc_s = max(since_utc_s, now_utc_s - request.seconds)
        characters_left = request.max_characters
        chosen: list[Copies] = []
        for said in reversed(self._said):
            if len(chosen) >= limit or said.came_utc_s < since_utc_s:
                break
            if characters_left is not None:
                characters_left -= said.characters
                if characters_left < 0:
                    break
            chosen.append(delayed(said.copies, self._room, said.came_utc_s))
        return chosen[::-1]


def _characters(copies: Copies) -> int:
    return len(copies.behind.decode()) + len(str(copies.from_)) + len("<message from=''")


def delayed(copies: Copies, room: Jid, came_utc_s: float) -> Copies:
    """With the time when the room got it. No character of a room's JID needs an escape (RFC 7622 section 3.3.1)."""
    delay = f"<delay xmlns='{DELAY}' from='{room}' stamp='{timestamp.to_text(came_utc_s)}'/>".encode()
    return msgspec.structs.replace(
        copies,
        payloads=(*copies.payloads, f"{DELAY} delay"),
        behind=copies.behind.removesuffix(_END) + delay + _END,
    )
