"""Requests about stanzas."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from cluster.trace.hop import Hop
from cluster.trace.sequence import MOST_STEPS, picture
from cluster.web.feed import hop_row
from cluster.web.requests.ask import Ask, Name, Page

MOST_RECORDED = 2_000
"""Hops of one answer."""


class Recorded(Ask, frozen=True, tag="recorded"):
    """The newest `hops` of a lab that is down up to a moment, as `hop_row`, and how many earlier ones it `missed`."""

    until: float
    """In seconds since the epoch; with the last second of the time line, all that came after it too."""

    def run(self, page: Page) -> Any:
        until_ns = self.until * 1e9 if self.until < page.live.history.newest_utc_s else float("inf")
        count, newest = 0, deque[Hop](maxlen=MOST_RECORDED)
        for hops in page.lab.recorded_hops():
            found = [hop for hop in hops if hop.at_utc_ns <= until_ns]
            count += len(found)
            newest.extend(found)
        return {"hops": [hop_row(hop) for hop in newest], "missed": count - len(newest)}


class Why(Ask, frozen=True, tag="why"):
    """What happened to a stanza, and why: an `Explanation` and its `Picture`, of MOST_STEPS steps.

    By its trace id, or the newest one that matches.
    """

    id: Name = ""
    from_: Name = msgspec.field(name="from", default="")
    to: Name = ""

    def run(self, page: Page) -> Any:
        answer = page.lab.why(self.id, self.from_, self.to)
        shown = msgspec.structs.replace(answer, decisions=answer.decisions[:MOST_STEPS])
        return {"explanation": shown, "picture": picture(answer), "more": len(answer.decisions) - len(shown.decisions)}

    def words(self) -> tuple[str, ...]:
        ends = (("--from", self.from_) if self.from_ else ()) + (("--to", self.to) if self.to else ())
        return ("why", *([self.id] if self.id else ()), *ends)
