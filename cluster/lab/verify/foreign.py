"""Phones and mailboxes as ends of a flow: reading what they have received, and sending from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from cluster.lab.clients.correspondents import Correspondent, behind_gateways
from cluster.lab.verify.records import Arrival, Leg, Misdelivery
from cluster.lab.verify.traffic import MAX_BURST, Outgoing
from cluster.lab.verify.witness import Book, Flight, words_difference
from cluster.networks.person import Person, Received
from cluster.topology.plan import Plan
from cluster.xmpp.jid import Jid

LOOK_EVERY_S = 0.2


def find_box(plan: Plan, end: str) -> Correspondent | None:
    """The phone or the mailbox of this name, number or address; None for others."""
    return next((each for each in behind_gateways(plan) if end in (each.name, each.address)), None)


class BoxClient:
    """Reads and sends for a box, through requests to its network."""

    def __init__(self, box: Correspondent, person: Person) -> None:
        """`person`: its side of the conversation."""
        self.box = box
        self._person = person

    def inbox(self, after: int) -> Sequence[Received]:
        """Its texts, without the first `after`. Raises LabError."""
        return self._person.inbox(after)

    def send(self, to: Jid, text: str, trace_id: str) -> None:
        """Write to an account. Raises LabError."""
        self._person.write(str(to), self.box.gateway.domain, text, trace_id)


class BoxRole(Protocol):
    """What a box does in a run."""

    @property
    def name(self) -> str:
        """Of the box."""

    @property
    def pause_s(self) -> float:
        """The pause between two turns."""

    def turn(self) -> None:
        """Do what is due now. Raises LabError while its network does not answer; the next turn tries again."""


class BoxReceiver:
    """Reads arrivals. A `BoxRole`."""

    pause_s = LOOK_EVERY_S

    def __init__(self, client: BoxClient, book: Book, now_s: Callable[[], float]) -> None:
        self.client = client
        self.name = client.box.name
        self.legs: dict[int, Leg] = {}
        """Of the flows to this box, by their index in the book."""
        self._book = book
        self._now_s = now_s
        self._read = len(client.inbox(0))

    def turn(self) -> None:
        """Read what is new."""
        for text in self.client.inbox(self._read):
            self._read += 1
            known = self._book.find("", text.text.encode())
            if known is not None:
                message_id = getattr(text, "message_id", "")  # mails have one
                self._see(*known, text.text, hash(message_id) if message_id else 0)

    def _see(self, flight: Flight, sequence: int, words: str, known_by: int) -> None:
        """`known_by`: a number for the Message-ID, by which a mail program recognises copies; 0 without one."""
        leg = self.legs.get(self._book.flights.index(flight))
        if leg is None:
            flight.record.misdelivered.append(Misdelivery(sequence, self.client.box.name, self._now_s()))
            return
        found = "; ".join(words_difference(words, flight.content.text(sequence)))
        leg.arrive(Arrival(sequence, known_by, self._now_s(), found))


class BoxSender:
    """Sends a flow from a box. What its network accepted counts as acknowledged. A `BoxRole`."""

    def __init__(self, client: BoxClient, flight: Flight, outgoing: Outgoing, now_s: Callable[[], float]) -> None:
        self.client = client
        self.name = client.box.name
        self.outgoing = outgoing
        self._flight = flight
        self._now_s = now_s

    @property
    def pause_s(self) -> float:
        """The time until the next one is due."""
        return self.outgoing.pace.pause_s

    def turn(self) -> None:
        """Send what is due. A text that the network did not accept in time may be sent twice, as by a person."""
        record, content = self.outgoing.record, self._flight.content
        for _ in range(MAX_BURST):
            if record.acknowledged == len(record.sent_s) and self.outgoing.pace.due <= 0:
                return
            sequence = record.acknowledged
            if sequence == len(record.sent_s):
                record.send(self._now_s())
            self.client.send(content.to, content.text(sequence), content.id(sequence))
            record.acknowledged = sequence + 1
