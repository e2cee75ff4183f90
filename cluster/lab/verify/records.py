"""What the clients of a run write down: the one side what it sent, the other what arrived. Compact, for millions."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Arrival(NamedTuple):
    """A message at its receiver."""

    sequence: int
    """Its number in the flow, from 0."""
    stanza_id: int
    """Stands for its stanza-id (XEP-0359): equal ids, equal numbers. 0: it had none."""
    at_s: float
    """When, since the start of the run."""


class Arrivals:
    """Arrivals in the order in which they came."""

    def __init__(self) -> None:
        self._sequences = array("q")
        self._stanza_ids = array("q")
        self._times_s = array("d")

    def append(self, arrival: Arrival) -> None:
        """One more."""
        self._sequences.append(arrival.sequence)
        self._stanza_ids.append(arrival.stanza_id)
        self._times_s.append(arrival.at_s)

    def __iter__(self) -> Iterator[Arrival]:
        return map(Arrival, self._sequences, self._stanza_ids, self._times_s)

    def __len__(self) -> int:
        return len(self._sequences)


class FlowRecord:
    """One flow, as its two clients saw it; the sender's thread writes what it sent, the receiver's what arrived."""

    def __init__(self, name: str, prefix: str) -> None:
        """`prefix` begins the ids of its messages."""
        self.name = name
        self.sent_s = array("d")
        """When each was sent, by its number, since the start of the run."""
        self.acknowledged = 0
        """So many of them, the first ones, the sender's server has acknowledged (XEP-0198)."""
        self.bounced: dict[int, str] = {}
        """The condition of the error, by the number of the message that came back."""
        self.arrivals = Arrivals()
        self._prefix = prefix
        self._settled = bytearray()
        self._unsettled = 0

    @property
    def unsettled(self) -> int:
        """How many neither arrived nor came back so far."""
        return self._unsettled

    def unsettled_besides(self, ids: Iterable[str]) -> int:
        """The same, without those that are known to be lost."""
        numbers = (self.sequence(id) for id in ids)
        return self._unsettled - sum(number is not None and not self._settled[number] for number in numbers)

    def id(self, sequence: int) -> str:
        """The id of a message, and of its trace."""
        return f"{self._prefix}{sequence}"

    def sequence(self, id: str) -> int | None:
        """The number of the message with this id; None where it is none of this flow."""
        number = id[len(self._prefix) :]
        if not id.startswith(self._prefix) or not number.isdecimal() or int(number) >= len(self.sent_s):
            return None
        return int(number)

    def send(self, at_s: float) -> int:
        """A message is about to be sent: its number."""
        self._settled.append(0)
        self._unsettled += 1
        self.sent_s.append(at_s)
        return len(self.sent_s) - 1

    def bounce(self, sequence: int, condition: str) -> None:
        """It came back to its sender."""
        self.bounced[sequence] = condition
        self._settle(sequence)

    def arrive(self, arrival: Arrival) -> None:
        """It is at its receiver."""
        self.arrivals.append(arrival)
        self._settle(arrival.sequence)

    def _settle(self, sequence: int) -> None:
        if not self._settled[sequence]:
            self._settled[sequence] = 1
            self._unsettled -= 1
