"""Messages in rooms that not everybody has received yet: the occupants of each room, and who still has to receive
what."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from threading import Event
from typing import NamedTuple

from cluster.xmpp.jid import Jid


@dataclass
class Said:
    """A message to a room."""

    speaker: Jid
    sent_ns: int
    """When it was due, on CLOCK_MONOTONIC."""
    awaited: set[Jid]
    """The occupants who have not received it yet, of those who were in the room and still are."""
    is_heard: bool = False
    """One of them has received it."""


class Heard(NamedTuple):
    """One more occupant received a message."""

    sent_ns: int
    is_first: bool
    is_last: bool


class FanOut:
    """The rooms of the users of one process."""

    def __init__(self) -> None:
        self._said: dict[str, Said] = {}
        self._inside: defaultdict[Jid, dict[Jid, None]] = defaultdict(dict)
        self._waiting: dict[Jid, Event] = {}

    def enter(self, jid: Jid, room: Jid) -> None:
        """From now on this user receives the messages of that room."""
        self._inside[room][jid] = None

    def say(self, id: str, speaker: Jid, room: Jid, sent_ns: int) -> bool:
        """It is about to be sent; False if its sender is not in the room."""
        inside = self._inside[room]
        if speaker not in inside:
            return False
        self._said[id] = Said(speaker, sent_ns, set(inside))
        return True

    def hear(self, id: str, jid: Jid) -> Heard | None:
        """A user has received it; None if that was not awaited, or not any more."""
        said = self._said.get(id)
        if said is None or jid not in said.awaited:
            return None
        is_first, said.is_heard = not said.is_heard, True
        said.awaited.discard(jid)
        if not said.awaited:
            self._forget(id)
        return Heard(said.sent_ns, is_first, not said.awaited)

    def give_up(self, id: str) -> Said | None:
        """It was returned; None if all have received it, or it is unknown."""
        return self._forget(id) if id in self._said else None

    def leave(self, jid: Jid) -> list[Said]:
        """The user is in no room any more, and nothing waits for it; returns its own messages that not all have
        received."""
        for inside in self._inside.values():
            inside.pop(jid, None)
        for id, said in [*self._said.items()]:
            said.awaited.discard(jid)
            if not said.awaited:
                self._forget(id)
        own = [id for id, said in self._said.items() if said.speaker == jid]
        return [self._forget(id) for id in own]

    def wait_until_heard(self, speaker: Jid, timeout_s: float) -> bool:
        """Wait until all have received what this user said; False if that took too long."""
        if all(said.speaker != speaker for said in self._said.values()):
            return True
        heard = self._waiting[speaker] = Event()  # gevent's, once locust has patched
        try:
            return heard.wait(timeout_s)
        finally:
            del self._waiting[speaker]

    def _forget(self, id: str) -> Said:
        said = self._said.pop(id)
        waiting = self._waiting.get(said.speaker)
        if waiting is not None and all(each.speaker != said.speaker for each in self._said.values()):
            waiting.set()
        return said
