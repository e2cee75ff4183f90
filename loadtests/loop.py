# mypy: allow-untyped-calls
# (locust annotates only some of its functions)
"""How late the load generator is itself: what it does late is no fault of the server."""

from __future__ import annotations

import time
from typing import Any

import gevent
from locust.runners import STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING

from loadtests.figures import OF_GENERATOR, Figures

EVERY_S = 0.1
LOOP, LATE_START = "generator loop", "late start"
"""The rows of the figures."""


def watch(runner: Any, figures: Figures) -> None:
    """Measure, as long as the process lives and users run, how late a timer of this process fires.

    gevent runs one greenlet at a time: while one computes, all others wait, and what they measure comes late.
    """
    while True:
        due_ns = time.monotonic_ns() + round(EVERY_S * 1e9)
        gevent.sleep(EVERY_S)
        if runner.state in (STATE_SPAWNING, STATE_RUNNING, STATE_STOPPING):
            figures.take(LOOP, min(due_ns, time.monotonic_ns()), type=OF_GENERATOR)
