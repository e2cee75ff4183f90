"""What was sent and what arrived, and what follows from that. Nothing in it is the servers' word."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple


class Seen(NamedTuple):
    """A message at an account."""

    at: str
    from_: str
    to: str
    type: str
    body: str
    stanza_id: str


@dataclass
class Totals:
    """Of a run."""

    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    lost: int = 0
    bounced: int = 0
    altered: int = 0
    misdelivered: int = 0
    same_id: int = 0
    """Copies with a stanza-id that came before (XEP-0359)."""
    sent_again: int = 0
    """Copies with other ids, each of which its client sent: again, since the server had not acknowledged it (XEP-0198
    section 5)."""
    other_id: int = 0
    """Other copies: more than the client sent."""
    out_of_order: int = 0

    @property
    def broken(self) -> list[str]:
        """The promises that do not hold."""
        names = ("lost", "bounced", "altered", "misdelivered", "other_id", "out_of_order")
        return [f"{name.replace('_', ' ')}: {getattr(self, name):,}" for name in names if getattr(self, name)]


@dataclass
class Ledger:
    """Of all clients of a run."""

    sent: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Who sends to whom, by the body, which is in no other message."""
    acknowledged: set[str] = field(default_factory=set)
    bounced: set[str] = field(default_factory=set)
    seen: list[Seen] = field(default_factory=list)
    written: Counter[str] = field(default_factory=Counter)
    """How often its client sent each."""
    missing: set[str] = field(default_factory=set)
    """Bodies that did not arrive yet."""

    def send(self, body: str, from_: str, to: str) -> None:
        """It is on its way."""
        self.sent[body] = from_, to
        self.missing.add(body)

    def see(self, seen: Seen) -> None:
        """It arrived, here or where it should not have."""
        self.seen.append(seen)
        self.missing.discard(seen.body)

    def bounce(self, body: str) -> None:
        """It came back."""
        self.bounced.add(body)
        self.missing.discard(body)

    def totals(self) -> Totals:
        """What became of everything."""
        totals = Totals(sent=len(self.sent), acknowledged=len(self.acknowledged), bounced=len(self.bounced))
        ids: dict[str, set[str]] = {}
        highest: dict[tuple[str, str], int] = defaultdict(lambda: -1)
        numbers = {body: number for number, body in enumerate(self.sent)}
        for seen in self.seen:
            ends = self.sent.get(seen.body)
            if ends is None or seen.type != "chat" or (seen.from_, seen.to) != ends:
                totals.altered += 1
            elif seen.at != ends[1]:
                totals.misdelivered += 1
            elif seen.body in ids:
                known = ids[seen.body]
                is_known = bool(seen.stanza_id) and seen.stanza_id in known
                known.add(seen.stanza_id)
                is_sent_again = not is_known and bool(seen.stanza_id) and len(known) <= self.written[seen.body]
                totals.same_id += is_known
                totals.sent_again += is_sent_again
                totals.other_id += not (is_known or is_sent_again)
            else:
                ids[seen.body] = {seen.stanza_id}
                totals.out_of_order += numbers[seen.body] < highest[ends]
                highest[ends] = max(highest[ends], numbers[seen.body])
        totals.delivered = len(ids)
        totals.lost = len(self.sent.keys() - ids.keys() - self.bounced)
        return totals
