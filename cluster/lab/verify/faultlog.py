"""The checker's own record of what was broken on purpose, when and where: only this excuses a loss or a duplicate.

Pure. What a server says of faults counts only if this record has such a fault at that place and time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import msgspec

from cluster.base.units import DURATION, SHARE
from cluster.lab.verify.records import Link

REACH_S = 5.0
"""A crash or a broken connection explains a second copy of a stanza that arrived at most this long before it or after
its end: stanzas that a client had not acknowledged, or a server had not yet stored as handled."""

SLACK_S = 2.0
"""Servers learn of a changed fault a little later than the record says."""


class Fault(msgspec.Struct):
    """One thing that was broken."""

    what: str
    """Text for the report."""
    begin_s: float
    """Since the start of the run."""
    end_s: float = math.inf
    link: Link | None = None
    """None: a node or a client's connection."""
    settings: dict[str, str] = {}
    """Of a link: its faults, in the form of `xmpplab fault set`."""

    def share(self, key: str) -> float:
        """The share of the stanzas that this fault of the link takes; 0 if it has none."""
        return float(SHARE.parse(self.settings[key]) or 0.0) if key in self.settings else 0.0

    @property
    def holds_back(self) -> bool:
        """Whether it may delay stanzas for long."""
        late_s = sum(float(DURATION.parse(self.settings.get(key, "none")) or 0.0) for key in ("delay", "jitter"))
        return self.link is None or bool({"down", "rate"} & self.settings.keys()) or late_s > SLACK_S / 2

    def overlaps(self, begin_s: float, end_s: float) -> bool:
        """Whether it acted at some time from `begin_s` to `end_s`."""
        return self.begin_s - SLACK_S <= end_s and begin_s <= self.end_s + SLACK_S


class Passage(NamedTuple):
    """The time a stanza was on its way; the end is infinite for one that never arrived."""

    begin_s: float
    end_s: float


class FaultLog:
    """All faults of a run. Several threads may add to it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def begin(
        self, what: str, at_s: float, link: Link | None = None, settings: Mapping[str, str] | None = None
    ) -> Fault:
        """Record a fault from now on; call `end` on the result."""
        fault = Fault(what, at_s, link=link, settings=dict(settings or {}))
        self._faults.append(fault)
        return fault

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults))

    def share(self, key: str, links: Collection[Link], passage: Passage) -> float:
        """The largest share that a fault of this kind had on these links while a stanza was on its way; 0 without
        one."""
        acting = (each for each in self._faults if each.link in links and each.overlaps(*passage))
        return max((each.share(key) for each in acting), default=0.0)

    def was_set(self, key: str, link: Link, at_s: float, passage: Passage) -> bool:
        """Whether a fault of this kind was set on the link at that time, which is within the stanza's passage."""
        if not passage.begin_s - SLACK_S <= at_s <= passage.end_s + SLACK_S:
            return False
        return any(each.link == link and each.share(key) and each.overlaps(at_s, at_s) for each in self._faults)

    def explains_copy(self, sent_s: float, first_s: float, again_s: float) -> bool:
        """Whether a crash or a broken connection lies near the passage of a message that arrived twice.

        A message that waits for its receiver may be a copy since it was stored: its passage begins when it is sent.
        """
        return any(
            each.link is None
            and each.begin_s - REACH_S <= first_s
            and sent_s <= each.end_s + REACH_S
            and each.begin_s <= again_s
            for each in self._faults
        )

    def due_until(self, now_s: float, patience_s: float) -> float:
        """Stanzas that were sent by this time are overdue now: `patience_s` has passed in which no fault delayed
        them."""
        acting = [each for each in self._faults if each.holds_back and each.end_s + patience_s > now_s]
        return min([now_s - patience_s, *(each.begin_s - SLACK_S for each in acting)])


def most(passages: int, share: float) -> int:
    """How many of the passages a fault with this share may take: six standard deviations above the mean, and three.

    If more are missing, something else took them.
    """
    return math.ceil(passages * share + 6 * math.sqrt(passages * share * (1 - share)) + 3) if share else 0
