"""Garbage collection at fixed events of a run, which does not depend on what else its process does."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.virtual.timeline import Timeline

EVERY_EVENTS = 100_000
EVENTS_OF_CLIENT = 60
"""As many more objects are alive, collections are rarer: their cost stays a small share of the run. A client that logs
in and out again takes some 80 events."""


@contextmanager
def collected_by_events(timeline: Timeline, clients: int) -> Iterator[None]:
    """Within, and at the end, reference cycles are collected after fixed numbers of events.

    Weak references die then, and suspended coroutines run their `finally`; Python's own collector would do it at a
    moment that depends on all objects of the process. What was there before the run is not looked at.
    """
    events = max(EVERY_EVENTS, EVENTS_OF_CLIENT * clients)
    was_enabled = gc.isenabled()

    def collect() -> None:
        gc.collect()
        timeline.between(events, collect)

    gc.disable()
    gc.freeze()
    timeline.between(events, collect)
    try:
        yield
        gc.collect()  # an unhandled failure is logged when its Deferred is collected
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
