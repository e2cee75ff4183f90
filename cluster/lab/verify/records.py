"""The records of a run's clients: what each sent, and what was seen where. Compact, for millions."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

Link = tuple[str, str]
"""The sending domain, and the receiving one."""


class Arrival(NamedTuple):
    """An arrival of a stanza."""

    sequence: int
    """Its number in the flow, from 0."""
    stanza_id: int
    """A number for its stanza-id (XEP-0359) or another mark of copies: equal ids, equal numbers. 0: it had none."""
    at_s: float
    """Time since the start of the run."""
    difference: str = ""
    """How it differs from what was sent; empty if it does not."""


class Misdelivery(NamedTuple):
    """A stanza that reached somebody else."""

    sequence: int
    where: str
    at_s: float


class FlowRecord:
    """The record of a flow's sender: what it sent, what returned to it, and what reached somebody else."""

    def __init__(self, name: str, prefix: str, link: Link = ("", "")) -> None:
        """`prefix` begins the ids of its stanzas; `link`: the domains of the two servers between which it crosses."""
        self.name = name
        self.link: Link = link
        self.sent_s = array("d")
        """Times since the start of the run, by number."""
        self.acknowledged = 0
        """How many of them, always the first ones, the sender's server has acknowledged (XEP-0198)."""
        self.bounced: dict[int, str] = {}
        """The condition of the error, by the number of the returned stanza."""
        self.misdelivered: list[Misdelivery] = []
        self.prefix = prefix

    def id(self, sequence: int) -> str:
        """The id of a stanza, and its trace id."""
        return f"{self.prefix}{sequence}"

    def sequence(self, id: str) -> int | None:
        """The number of the stanza with this id; None for other ids."""
        number = id[len(self.prefix) :]
        if not id.startswith(self.prefix) or not number.isdecimal() or int(number) >= len(self.sent_s):
            return None
        return int(number)

    def send(self, at_s: float) -> int:
        """A stanza is about to be sent; returns its number."""
        self.sent_s.append(at_s)
        return len(self.sent_s) - 1

    def bounce(self, sequence: int, condition: str) -> None:
        """A stanza returned to its sender."""
        self.bounced.setdefault(sequence, condition)


class Leg:
    """One place where the stanzas of a flow must arrive, and their arrivals there.

    One leg of a flow is its delivery. The others follow from that: carbons and answers are awaited for delivered
    stanzas (`after`), the archive of the sender has what its server acknowledged (no `after`).
    """

    def __init__(
        self,
        flow: FlowRecord,
        what: str = "",
        after: Leg | None = None,
        *,
        is_archive: bool = False,
        is_answer: bool = False,
        link: Link | None = None,
    ) -> None:
        """`what`: for the report, such as `carbon at juliet@capulet.lit/pda`; empty for the first leg of a flow.

        `is_archive`: it is read at the end, so the times of its arrivals mean nothing. `is_answer`: it crosses the link
        back. `link`: the further one that it crosses to be seen here, as from a room to an occupant.
        """
        self.flow = flow
        self.is_archive = is_archive
        self.loss_link = flow.link if not what else flow.link[::-1] if is_answer else None
        """The link whose faults excuse a loss here; None: no fault does, since delivered stanzas must arrive here
        too."""
        self.copy_links = (flow.link, flow.link[::-1]) if is_answer else (flow.link,) if after or not what else ()
        """The links whose faults excuse a copy."""
        if link is not None:
            self.loss_link, self.copy_links = link, (*self.copy_links, link)
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
        """Name for the report."""
        return f"{self.flow.name}, {self.what}" if self.what else self.flow.name

    @property
    def is_first(self) -> bool:
        """Whether it is the delivery of the flow."""
        return not self.what

    def arrive(self, arrival: Arrival) -> None:
        """Record an arrival."""
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
        """Whether this stanza arrived."""
        return sequence < len(self._seen) and bool(self._seen[sequence])

    def awaits(self, sequence: int) -> bool:
        """Whether this stanza must arrive here, as far as is known by now."""
        if self.after is not None:
            return self.after.has(sequence)
        if self.is_first:
            return sequence < len(self.flow.sent_s)
        return sequence < self.flow.acknowledged

    @property
    def unsettled(self) -> int:
        """The number of awaited stanzas that have neither arrived nor returned. Exact when none is under way."""
        returned = sum(self.awaits(sequence) and not self.has(sequence) for sequence in tuple(self.flow.bounced))
        if self.after is not None:
            return max(0, self.after.seen_count - self._seen_count - returned)
        awaited = len(self.flow.sent_s) if self.is_first else self.flow.acknowledged
        return max(0, awaited - self._seen_count - (returned if self.is_first else 0))

    @property
    def seen_count(self) -> int:
        """The number of different stanzas that arrived."""
        return self._seen_count

    def arrivals(self, begin: int = 0) -> Iterator[Arrival]:
        """In the order of arrival, from this one on."""
        for index in range(begin, len(self._times_s)):  # written last: all other values are there
            yield Arrival(
                self._sequences[index], self._stanza_ids[index], self._times_s[index],
                self._differences.get(index, ""),
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self._times_s)
