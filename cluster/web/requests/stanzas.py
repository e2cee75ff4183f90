"""Requests about stanzas."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.trace.sequence import MOST_STEPS, picture
from cluster.web.requests.ask import Ask, Name, Page


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
