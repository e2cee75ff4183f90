"""What the clients of a run write down: what each sent, and what was seen where. Compact, for millions."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

Link = tuple[str, str]
"""The domain that sends, and the one that receives."""


class Arrival(NamedTuple):
    """A stanza where it was to be seen."""

    sequence: int
    """Its number in the flow, from 0."""
    stanza_id: int
    """A number for its stanza-id (XEP-0359) or what else tells copies: equal ids, equal numbers. 0: it had none."""
    at_s: float
    """When, since the start of the run."""
    difference: str = ""
    """How it differs from what was sent; empty where it does not."""


class Misdelivery(NamedTuple):
    """A stanza that somebody got who was not meant."""

    sequence: int
    where: str
    at_s: float


class FlowRecord:
    """What the sender of a flow wrote down, and what came back to it or to somebody who was not meant."""

    def __init__(self, name: str, prefix: str, link: Link = ("", "")) -> None:
        """`prefix` begins the ids of its stanzas; `link`: the domains of the two servers that it crosses between."""
        self.name = name
        self.link: Link = link
        self.sent_s = array("d")
        """When each was sent, by its number, since the start of the run."""
        self.acknowledged = 0
        """How many of them, always the first ones, the sender's server has acknowledged (XEP-0198)."""
        self.bounced: dict[int, str] = {}
        """The condition of the error, by the number of the stanza that came back."""
        self.misdelivered: list[Misdelivery] = []
        self.prefix = prefix

    def id(self, sequence: int) -> str:
        """The id of a stanza, and of its trace."""
        return f"{self.prefix}{sequence}"

    def sequence(self, id: str) -> int | None:
        """The number of the stanza with this id; None where it is none of this flow."""
        number = id[len(self.prefix) :]
        if not id.startswith(self.prefix) or not number.isdecimal() or int(number) >= len(self.sent_s):
            return None
        return int(number)

    def send(self, at_s: float) -> int:
        """A stanza is about to be sent: its number."""
        self.sent_s.append(at_s)
        return len(self.sent_s) - 1

    def bounce(self, sequence: int, condition: str) -> None:
        """It came back to its sender."""
        self.bounced.setdefault(sequence, condition)


class Leg:
    """One place where the stanzas of a flow are to be seen, and what was seen there.

    A flow has one leg that its stanzas are delivered by. Others show what follows from that: carbons and answers are
    awaited of what was delivered (`after`), the archive of the sender has what its server acknowledged (no `after`).
    """

    def __init__(
        self,
        flow: FlowRecord,
        what: str = "",
        after: Leg | None = None,
        *,
        is_archive: bool = False,
        is_answer: bool = False,
    ) -> None:
        """`what`: for the report, such as `carbon at juliet@capulet.lit/pda`; empty for the first leg of a flow.

        `is_archive`: it is read at the end, so that the times of its arrivals mean nothing. `is_answer`: it crosses
        the link back.
        """
        self.flow = flow
        self.is_archive = is_archive
        self.loss_link = flow.link if not what else flow.link[::-1] if is_answer else None
        """The link whose faults excuse a loss here; None: nothing does, for what was delivered is seen here too."""
        self.copy_links = (flow.link, flow.link[::-1]) if is_answer else (flow.link,) if after or not what else ()
        """Those whose faults excuse a copy."""
        self.what = what
        self.after = after
        self._sequences = array("q")
        self._stanza_ids = array("q")
        self._times_s = array("d")
        self._differences: dict[int, str] = {}
        self._seen = bytearray()
        self._seen_count = 0

    @property
    def name(self) -> str:
        """For the report."""
        return f"{self.flow.name}, {self.what}" if self.what else self.flow.name

    @property
    def is_first(self) -> bool:
        """By which the flow is delivered."""
        return not self.what

    def arrive(self, arrival: Arrival) -> None:
        """It is here."""
        if arrival.difference:
            self._differences[len(self._sequences)] = arrival.difference
        self._sequences.append(arrival.sequence)
        self._stanza_ids.append(arrival.stanza_id)
        self._times_s.append(arrival.at_s)
        if not self.has(arrival.sequence):
            self._seen.extend(bytes(max(0, arrival.sequence + 1 - len(self._seen))))
            self._seen[arrival.sequence] = 1
            self._seen_count += 1

    def has(self, sequence: int) -> bool:
        """True where it arrived."""
        return sequence < len(self._seen) and bool(self._seen[sequence])

    def awaits(self, sequence: int) -> bool:
        """True where it is to be seen here, as far as is known by now."""
        if self.after is not None:
            return self.after.has(sequence)
        if self.is_first:
            return sequence < len(self.flow.sent_s)
        return sequence < self.flow.acknowledged

    @property
    def unsettled(self) -> int:
        """How many are awaited that neither arrived nor came back so far. Exact when nothing is under way."""
        returned = sum(self.awaits(sequence) and not self.has(sequence) for sequence in tuple(self.flow.bounced))
        if self.after is not None:
            return max(0, self.after.seen_count - self._seen_count - returned)
        awaited = len(self.flow.sent_s) if self.is_first else self.flow.acknowledged
        return max(0, awaited - self._seen_count - (returned if self.is_first else 0))

    @property
    def seen_count(self) -> int:
        """How many different ones arrived."""
        return self._seen_count

    def arrivals(self, begin: int = 0) -> Iterator[Arrival]:
        """In the order in which they came, from this one on."""
        for index in range(begin, len(self._times_s)):  # the last to be written: all others are there
            yield Arrival(
                self._sequences[index], self._stanza_ids[index], self._times_s[index],
                self._differences.get(index, ""),
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self._times_s)
