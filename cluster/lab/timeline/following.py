"""Follows a share of all stanzas during a run, so that the time line says where their time went."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cluster.lab.api.lab import Lab
from cluster.lab.control.ask import tell_all
from cluster.lab.control.requests import Follow
from cluster.lab.errors import LabError
from cluster.lab.tracing.watching import ANSWER_TIMEOUT_S, LEASE_S

FOLLOWED_PER_S = 100
"""Of the whole lab: enough for a percentile in each second (its cost: docs/timeline.md)."""
EVERY_S = 2.0
"""Between two requests, which are in time also where a node did not answer the one before."""
FIRST_SHARE = 10
"""One stanza in this number, until it is known how many there are."""


@contextmanager
def following_a_share(lab: Lab) -> Iterator[None]:
    """About FOLLOWED_PER_S of the stanzas are followed inside, all where there are fewer."""
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(lab, ended), name="following", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _follow(lab: Lab, ended: threading.Event) -> None:
    every, timeline = FIRST_SHARE, lab.timeline.reader()
    timeline.read()
    while True:
        with suppress(LabError):  # the lab is down, or Redis is away: the next try comes soon
            plan = lab.plan
            tell_all(lab.folder, plan, plan.ours, Follow(time.time() + LEASE_S, every=every), ANSWER_TIMEOUT_S)
        if ended.wait(EVERY_S):
            return
        rows, _ = timeline.read()
        every = next_share(every, sum(row.stanzas for row in rows), sum(row.took_s for row in rows))


def next_share(every: int, stanzas: int, took_s: float) -> int:
    """The share for the next time, where this many stanzas were followed with the last one."""
    return max(1, round(every * stanzas / took_s / FOLLOWED_PER_S)) if took_s else every
