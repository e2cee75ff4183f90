"""What was sent to a group and not everybody has received yet: who is in each group, and who still has to receive what.

A group is the occupants of a room, or those who see the presence of a user.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from threading import Event
from typing import NamedTuple

from cluster.xmpp.jid import Jid


@dataclass
class Said:
    """A stanza to a group."""

    speaker: Jid
    sent_ns: int
    """When it was due, on CLOCK_MONOTONIC."""
    awaited: set[Jid]
    """Those who have not received it yet, of those who were in the group and still are."""
    is_heard: bool = False
    """One of them has received it."""


class Heard(NamedTuple):
    """One more has received it."""

    sent_ns: int
    is_first: bool
    is_last: bool


class FanOut:
    """The groups of the users of one process, by a bare address."""

    def __init__(self) -> None:
        self._said: dict[str, Said] = {}
        self._inside: defaultdict[Jid, dict[Jid, None]] = defaultdict(dict)
        self._waiting: dict[Jid, Event] = {}

    def enter(self, jid: Jid, group: Jid) -> None:
        """From now on this user receives what is sent to that group."""
        self._inside[group][jid] = None

    def is_inside(self, jid: Jid, group: Jid) -> bool:
        """Whether this user receives what is sent to that group."""
        return jid in self._inside[group]

    def say(self, id: str, speaker: Jid, group: Jid, sent_ns: int) -> bool:
        """It is about to be sent; False if nobody would receive it."""
        inside = self._inside[group]
        if inside:
            self._said[id] = Said(speaker, sent_ns, set(inside))
        return bool(inside)

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

    def go_out(self, jid: Jid) -> None:
        """The user is in no group any more, and nothing waits for it."""
        for inside in self._inside.values():
            inside.pop(jid, None)
        for id, said in [*self._said.items()]:
            said.awaited.discard(jid)
            if not said.awaited:
                self._forget(id)

    def leave(self, jid: Jid) -> list[str]:
        """The same at the end of a user; returns the ids of what it said itself and not all have received."""
        self.go_out(jid)
        own = [id for id, said in self._said.items() if said.speaker == jid]
        for id in own:
            self._forget(id)
        return own

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
