"""The last messages of a room, for newcomers (XEP-0045 sections 7.2.13 and 7.2.14)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from cluster.xmpp import timestamp
from cluster.xmpp.extensions.muc import RETRACT_PAYLOAD, TOMBSTONE_PAYLOAD, HistoryRequest
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, DELAY, HINTS
from cluster.xmpp.stanza import Stanza

MAX_MESSAGES = 100
"""In one room, whatever its configuration says."""
MAX_BYTES = 262_144
"""In one room."""
_END = b"</message>"
_SAID = frozenset((f"{CLIENT} body", f"{HINTS} store", RETRACT_PAYLOAD, TOMBSTONE_PAYLOAD))


def is_said(payloads: tuple[str, ...]) -> bool:
    """Whether a message with these children belongs in the history; a subject or chat state alone does not."""
    return not _SAID.isdisjoint(payloads)


class Said(msgspec.Struct, frozen=True, gc=False):
    """One message of the history."""

    id: str
    """Its stanza-id (XEP-0359)."""
    message: Stanza
    """Without `to` in its bytes."""
    came_utc_s: float


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

    def add(self, id: str, message: Stanza, came_utc_s: float) -> None:
        """Add it as the newest; no earlier than the one before it, also where the clock was set back."""
        if message.trace_id:  # what a newcomer gets later is no copy of what is followed
            message = msgspec.structs.replace(message, trace_id="")
        if self._said:
            came_utc_s = max(came_utc_s, self._said[-1].came_utc_s)
        self._said.append(Said(id, message, came_utc_s))
        self._size_bytes += len(message.raw)
        while len(self._said) > MAX_MESSAGES or self._size_bytes > MAX_BYTES:
            self._size_bytes -= len(self._said.popleft().message.raw)

    def replace(self, id: str, message: Stanza) -> None:
        """Put this in place of the message with the id, if that is in the history."""
        for place, said in enumerate(self._said):
            if said.id == id:
                self._size_bytes += len(message.raw) - len(said.message.raw)
                self._said[place] = Said(id, message, said.came_utc_s)

    def select(self, request: HistoryRequest, most: int, now_utc_s: float) -> list[Stanza]:
        """The messages for a newcomer's request, oldest first, each with a delay; `most`: the maximum of the room."""
        limit = most if request.max_stanzas is None else min(most, request.max_stanzas)
        since_utc_s = request.since_utc_s or 0.0
        if request.seconds is not None:
            since_utc_s = max(since_utc_s, now_utc_s - request.seconds)
        characters_left = request.max_characters
        chosen: list[Stanza] = []
        for said in reversed(self._said):
            if len(chosen) >= limit or said.came_utc_s < since_utc_s:
                break
            if characters_left is not None:
                characters_left -= len(said.message.raw.decode())
                if characters_left < 0:
                    break
            chosen.append(delayed(said.message, self._room, said.came_utc_s))
        return chosen[::-1]


def delayed(message: Stanza, room: Jid, came_utc_s: float) -> Stanza:
    """The message with the time when the room received it. A room's JID needs no escape (RFC 7622 section 3.3.1)."""
    delay = f"<delay xmlns='{DELAY}' from='{room}' stamp='{timestamp.to_text(came_utc_s)}'/>".encode()
    return msgspec.structs.replace(
        message,
        payloads=(*message.payloads, f"{DELAY} delay"),
        raw=message.raw.removesuffix(_END) + delay + _END,
    )
