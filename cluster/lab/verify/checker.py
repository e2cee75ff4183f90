"""From the records of the clients to the fate of each stanza. Pure: the same records give the same verdict.

`read` may be called again and again during a run; it handles what is new.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterator, Mapping

from cluster.lab.verify.faultlog import FaultLog, Passage, most
from cluster.lab.verify.records import Arrival, Leg, Link
from cluster.lab.verify.report import Counts, Example, Fate, FlowReport, Latency, Silence
from cluster.trace.hop import Event, Hop

MAX_EXAMPLES = 3
"""Of each fate at each leg."""

_MISSING = ("lost", "lost by a fault")

SILENCE_S = 0.5
"""A shorter time without an arrival is not reported."""

Claims = Mapping[str, float]
"""The losses that the journal attributes to faults: the time since the start of the run, by the id of the stanza."""


class Checker:
    """Determines the fates of the stanzas of one flow at one leg."""

    def __init__(self, leg: Leg, faults: FaultLog) -> None:
        self.leg = leg
        self.counts = Counts()
        self.examples: list[Example] = []
        self.fates: dict[int, tuple[Fate, str]] = {}
        """Of the stanzas that did not simply arrive, with details: the first thing that went wrong."""
        self.silences: list[Silence] = []
        self.arrived_s = array("d")
        """By number: the first arrival; NaN before it."""
        self._faults = faults
        self._stanza_ids = array("q")
        self._read_arrivals = self._read_misdeliveries = self._settled = 0
        self._bounced: set[int] = set()
        self._copies: list[tuple[int, float, float]] = []
        self._last_s = -math.inf
        self._highest = -1

    def read(self) -> None:
        """Handle the arrivals, bounces and misdeliveries since the last call."""
        for arrival in self.leg.arrivals(self._read_arrivals):
            self._read_arrivals += 1
            self._extend(arrival.sequence)
            if arrival.difference:
                self.counts.altered += 1
                self._note("altered", arrival.sequence, f"arrived at {arrival.at_s:.3f} s, and {arrival.difference}")
            if math.isnan(self.arrived_s[arrival.sequence]):
                self._read_first(arrival)
            else:
                self._read_copy(arrival)
        if self.leg.is_first:
            self._read_bounces()
            self._read_misdelivered()
        self._judge_copies()
        self.counts.sent = self._awaited()
        self.counts.acknowledged = self.leg.flow.acknowledged if self.leg.is_first else 0

    def read_missing(self, claims: Claims, until_s: float = math.inf) -> None:
        """Count stanzas that were sent by then, and neither arrived nor returned, as lost: by a fault, if a fault
        explains it."""
        flow, claimed = self.leg.flow, []
        for sequence in self.missing(until_s):
            self._extend(sequence)
            passage = Passage(flow.sent_s[sequence], math.inf)
            claim_s = claims.get(flow.id(sequence))
            link = self.leg.loss_link
            if link and claim_s is not None and self._faults.was_set("loss", link, claim_s, passage):
                claimed.append(sequence)
            else:
                self._lose(sequence, claim_s)
        limit = self._most("loss", [self.leg.loss_link]) if self.leg.loss_link and claimed else 0
        for sequence in claimed:
            if self.counts.lost_by_fault < limit:
                self.counts.lost_by_fault += 1
                self._note("lost by a fault", sequence, "dropped by a fault of the link, as set")
            else:
                self._lose(sequence, None, f"; the fault of the link explains at most {limit:,}")

    def read_unawaited(self) -> None:
        """Handle arrivals of undelivered stanzas: an archive must have the delivered ones, and no others."""
        for sequence in range(len(self.arrived_s)) if self.leg.after is not None else ():
            if self.leg.has(sequence) and not self.leg.awaits(sequence):
                self.counts.misdelivered += 1
                self._note("misdelivered", sequence, f"it was not delivered, and yet seen at {self.leg.what}")

    def missing(self, until_s: float = math.inf) -> Iterator[int]:
        """The stanzas that are awaited here, were sent by then, have not arrived, and have no fate yet."""
        flow = self.leg.flow
        for sequence in range(self._settled, len(flow.sent_s)):
            if flow.sent_s[sequence] > until_s:
                return
            if self.leg.has(sequence) or (sequence in flow.bounced and self.leg.is_first):
                self._settled += sequence == self._settled  # those before it are settled
            elif self.leg.awaits(sequence) and self.fates.get(sequence, ("",))[0] not in _MISSING:
                yield sequence

    def report(self) -> FlowReport:
        """The result."""
        latency = None if self.leg.is_archive else _percentiles(sorted(self.latencies_ms))
        return FlowReport(self.leg.name, self.counts, self.examples, latency, self.silences, is_first=self.leg.is_first)

    @property
    def latencies_ms(self) -> list[float]:
        """Of those that arrived, by number."""
        pairs = zip(self.arrived_s, self.leg.flow.sent_s, strict=False)
        return [1000 * (arrived_s - sent_s) for arrived_s, sent_s in pairs if not math.isnan(arrived_s)]

    def _awaited(self) -> int:
        if self.leg.after is not None:
            return self.leg.after.seen_count
        return len(self.leg.flow.sent_s) if self.leg.is_first else self.leg.flow.acknowledged

    def _extend(self, sequence: int) -> None:
        for _ in range(len(self.arrived_s), sequence + 1):
            self.arrived_s.append(math.nan)
            self._stanza_ids.append(0)

    # --- arrivals

    def _read_first(self, arrival: Arrival) -> None:
        counts, sequence = self.counts, arrival.sequence
        self.arrived_s[sequence] = arrival.at_s
        self._stanza_ids[sequence] = arrival.stanza_id
        counts.delivered += not arrival.difference
        if not self.leg.is_archive:
            self._read_gap(max(self._last_s, self.leg.flow.sent_s[sequence]), arrival.at_s)
        if self.fates.get(sequence, ("",))[0] == "lost":  # it was given up too early
            del self.fates[sequence]
            counts.lost -= 1
        if sequence < self._highest:
            counts.out_of_order += 1
            self._note("out of order", sequence, f"arrived at {arrival.at_s:.3f} s, after number {self._highest}")
        self._highest = max(self._highest, sequence)

    def _read_gap(self, begin_s: float, end_s: float) -> None:
        """Whether nothing new arrived in between, although this one was under way."""
        self.counts.longest_gap_s = max(self.counts.longest_gap_s, end_s - begin_s)
        if end_s - begin_s >= SILENCE_S:
            self.silences.append(Silence(begin_s, end_s - begin_s))
        self._last_s = end_s

    def _read_copy(self, arrival: Arrival) -> None:
        sequence = arrival.sequence
        if arrival.stanza_id and arrival.stanza_id == self._stanza_ids[sequence]:
            self.counts.duplicated_same_id += 1
            self._copies.append((sequence, self.arrived_s[sequence], arrival.at_s))
            self._note("duplicated, same stanza-id", sequence, f"again at {arrival.at_s:.3f} s")
        else:
            self.counts.duplicated += 1
            which = "with another stanza-id" if arrival.stanza_id else "without a stanza-id"
            self._note("duplicated", sequence, f"again at {arrival.at_s:.3f} s, {which}")

    def _judge_copies(self) -> None:
        """Find the copies with the same stanza-id that nothing explains."""
        unexplained, by_fault = 0, 0
        for sequence, first_s, again_s in self._copies:
            sent_s = self.leg.flow.sent_s[sequence]
            if self._faults.explains_copy(sent_s, first_s, again_s):
                continue
            passage = Passage(sent_s, again_s)
            if self._faults.share("duplicate", self.leg.copy_links, passage):
                by_fault += 1
            else:
                unexplained += 1
        explained = self._most("duplicate", self.leg.copy_links) if by_fault else 0
        self.counts.unexplained = unexplained + max(0, by_fault - explained)

    # --- misdeliveries and losses

    def _read_bounces(self) -> None:
        for sequence, condition in tuple(self.leg.flow.bounced.items()):
            if sequence not in self._bounced:
                self._bounced.add(sequence)
                self._extend(sequence)
                too = "" if math.isnan(self.arrived_s[sequence]) else ", though it arrived"
                self._note("bounced", sequence, f"came back with {condition}{too}")
        self.counts.bounced = len(self._bounced)

    def _read_misdelivered(self) -> None:
        for sequence, where, at_s in self.leg.flow.misdelivered[self._read_misdeliveries :]:
            self._read_misdeliveries += 1
            self.counts.misdelivered += 1
            self._note("misdelivered", sequence, f"{where} got it at {at_s:.3f} s")

    def _lose(self, sequence: int, claim_s: float | None, why: str = "") -> None:
        self.counts.lost += 1
        if claim_s is not None:
            why = f"; the journal says that a fault lost it at {claim_s:.3f} s, and none was set there and then"
        known = "acknowledged" if sequence < self.leg.flow.acknowledged else "not acknowledged"
        where = f" at {self.leg.what}" if self.leg.what else ""
        self._note("lost", sequence, f"{known} by its sender's server, and never seen again{where}{why}")

    def _most(self, key: str, links: Collection[Link]) -> int:
        """How many stanzas faults of this kind may have taken, by their shares and by the stanzas on their way."""
        flow = self.leg.flow
        exposed, share = 0, 0.0
        for sequence, sent_s in enumerate(flow.sent_s):
            arrived_s = self.arrived_s[sequence] if sequence < len(self.arrived_s) else math.nan
            passage = Passage(sent_s, math.inf if math.isnan(arrived_s) else arrived_s)
            if found := self._faults.share(key, links, passage):
                exposed, share = exposed + 1, max(share, found)
        return most(exposed, share)

    def _note(self, fate: Fate, sequence: int, note: str) -> None:
        self.fates.setdefault(sequence, (fate, note))
        if sum(example.fate == fate for example in self.examples) < MAX_EXAMPLES:
            sent = f"number {sequence}, sent at {self.leg.flow.sent_s[sequence]:.3f} s"
            self.examples.append(Example(fate, self.leg.flow.id(sequence), f"{sent}; {note}"))


def _percentiles(latencies_ms: list[float]) -> Latency | None:
    if not latencies_ms:
        return None
    count = len(latencies_ms)
    return Latency(*(latencies_ms[math.ceil(part * count) - 1] for part in (0.5, 0.9, 0.99, 0.999, 1.0)))


def lost_by_fault(hop: Hop) -> str:
    """The id of the stanza if the hop says that a fault of a link lost it; otherwise empty."""
    return hop.detail.partition(": ")[2] if hop.event is Event.LOST else ""
