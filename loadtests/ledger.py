"""Messages that were sent and have no outcome yet, which distinguishes slow from lost."""

from __future__ import annotations

from collections import defaultdict
from threading import Event
from typing import NamedTuple

from cluster.xmpp.jid import Jid
from loadtests.stamp import Kind

LOST_AFTER_S = 10.0
"""How long users wait at their end for messages in flight, before those count as lost. A lab delivers within
milliseconds, or within the delay of its link faults."""


class InFlight(NamedTuple):
    """A message on its way."""

    sender: Jid
    receiver: Jid
    kind: Kind
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
        self._ids: defaultdict[Jid, set[str]] = defaultdict(set)
        self._waiting: dict[Jid, Event] = {}

    def add(self, id: str, message: InFlight) -> None:
        """It is about to be sent."""
        self._messages[id] = message
        self._ids[message.sender].add(id)
        self._ids[message.receiver].add(id)

    def remove(self, id: str) -> InFlight | None:
        """It arrived, returned or was never sent; None if it is not in flight (any more)."""
        message = self._messages.pop(id, None)
        if message is not None:
            self._forget(id, message.sender)
            self._forget(id, message.receiver)
        return message

    def wait_until_settled(self, party: Jid, timeout_s: float) -> bool:
        """Wait until nothing is in flight from or to this user; False if that took too long."""
        if party not in self._ids:
            return True
        settled = self._waiting[party] = Event()  # gevent's, once locust has patched
        try:
            return settled.wait(timeout_s)
        finally:
            del self._waiting[party]

    def give_up(self, party: Jid) -> list[InFlight]:
        """Remove what is still in flight from or to this user."""
        ids = sorted(self._ids.get(party, ()))
        return [message for id in ids if (message := self.remove(id)) is not None]

    def _forget(self, id: str, party: Jid) -> None:
        ids = self._ids[party]
        ids.discard(id)
        if not ids:
            del self._ids[party]
            if party in self._waiting:
                self._waiting[party].set()
