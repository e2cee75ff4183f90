"""What was said in rooms and has not been heard by all: who is in which room, and who still has to hear what."""

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
    """Who has not heard it yet, of those who were in the room and still are."""
    is_heard: bool = False
    """Somebody has."""


class Heard(NamedTuple):
    """A message was heard by one more."""

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
        """From now on this user hears what is said there."""
        self._inside[room][jid] = None

    def say(self, id: str, speaker: Jid, room: Jid, sent_ns: int) -> bool:
        """It is about to be sent; False where its speaker is not in the room."""
        inside = self._inside[room]
        if speaker not in inside:
            return False
        self._said[id] = Said(speaker, sent_ns, set(inside))
        return True

    def hear(self, id: str, jid: Jid) -> Heard | None:
        """A user has heard it; None where that was not awaited, or not any more."""
        said = self._said.get(id)
        if said is None or jid not in said.awaited:
            return None
        is_first, said.is_heard = not said.is_heard, True
        said.awaited.discard(jid)
        if not said.awaited:
            self._forget(id)
        return Heard(said.sent_ns, is_first, not said.awaited)

    def give_up(self, id: str) -> Said | None:
        """It came back; None where it is known to all, or nobody's."""
        return self._forget(id) if id in self._said else None

    def leave(self, jid: Jid) -> list[Said]:
        """The user is in no room any more, and nothing waits for it: what it said itself, and not all have heard."""
        for inside in self._inside.values():
            inside.pop(jid, None)
        for id, said in [*self._said.items()]:
            said.awaited.discard(jid)
            if not said.awaited:
                self._forget(id)
        own = [id for id, said in self._said.items() if said.speaker == jid]
        return [self._forget(id) for id in own]

    def wait_until_heard(self, speaker: Jid, timeout_s: float) -> bool:
        """Wait until all have heard what this user said; False when that took too long."""
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
