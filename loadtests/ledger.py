"""Messages that were sent and have no outcome yet, which distinguishes slow from lost."""

from __future__ import annotations

from collections import defaultdict
from threading import Event
from typing import NamedTuple

from cluster.xmpp.jid import Jid

LOST_AFTER_S = 10.0
"""How long users wait at their end for messages in flight, before those count as lost. A lab delivers within
milliseconds, or within the delay of its link faults."""


class InFlight(NamedTuple):
    """A message on its way."""

    sender: Jid
    receiver: Jid
    row: str
    """Of the figures that it counts in."""
    sent_ns: int
    """When it was due, on CLOCK_MONOTONIC; for answers without a stamp."""


class Lost(Exception):
    """An indefinite failure: the message has no outcome; it may still wait somewhere and arrive after the run."""


class Bounced(Exception):
    """A definite failure: the message returned as an error stanza, with this condition (RFC 6120 section 8.3.3)."""


class Repeated(Exception):
    """The message arrived again, or after it was counted as lost."""


class Ledger:
    """The messages in flight between the users of one process, by their ids. Each leaves it once."""

    def __init__(self) -> None:
        self._messages: dict[str, InFlight] = {}
        self._counts: defaultdict[Jid, int] = defaultdict(int)
        self._waiting: dict[Jid, Event] = {}

    def add(self, id: str, message: InFlight) -> None:
        """It is about to be sent."""
        self._messages[id] = message
        self._counts[message.sender] += 1
        self._counts[message.receiver] += 1

    def remove(self, id: str) -> InFlight | None:
        """It arrived, returned or was never sent; None if it is not in flight (any more)."""
        message = self._messages.pop(id, None)
        if message is not None:
            self._forget(message.sender)
            self._forget(message.receiver)
        return message

    def wait_until_settled(self, party: Jid, timeout_s: float) -> bool:
        """Wait until nothing is in flight from or to this user; False if that took too long."""
        if party not in self._counts:
            return True
        settled = self._waiting[party] = Event()  # gevent's, once locust has patched
        try:
            return settled.wait(timeout_s)
        finally:
            del self._waiting[party]

    def give_up(self, party: Jid) -> list[InFlight]:
        """Remove what is still in flight from or to this user."""
        if party not in self._counts:
            return []
        ids = sorted(id for id, each in self._messages.items() if party in (each.sender, each.receiver))
        return [message for id in ids if (message := self.remove(id)) is not None]

    def _forget(self, party: Jid) -> None:
        self._counts[party] -= 1
        if not self._counts[party]:
            del self._counts[party]
            if party in self._waiting:
                self._waiting[party].set()
