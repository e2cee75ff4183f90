"""Requests about the lab over time."""

from __future__ import annotations

from typing import Any

from cluster.lab.api import BadInput
from cluster.web.history import moment
from cluster.web.requests.ask import Ask, Page


class Past(Ask, frozen=True, tag="past"):
    """The `samples` and `marks` after a moment, oldest first (`cluster.web.history`)."""

    after: float = 0.0
    """In seconds since the epoch."""

    def run(self, page: Page) -> Any:
        return page.live.history.since(self.after)


class Moment(Ask, frozen=True, tag="moment"):
    """The lab as it was at a moment: `at`, and the values of `state` then, by the names of those of now."""

    at: float

    def run(self, page: Page) -> Any:
        row = page.lab.timeline.row_at(self.at)
        if row is None:
            raise BadInput("the time line of this lab begins later")
        return {"at": row.at_utc_s, "state": moment(row)}
