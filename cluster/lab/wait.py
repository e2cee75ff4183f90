"""Waiting for a condition, for commands; servers have the reactor for that."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.02
"""Nodes come up within tenths of a second, so this pause is not noticed."""


def wait_until(condition: Callable[[], object], timeout_s: float) -> bool:
    """Poll until the condition holds; False on timeout."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        pause(POLL_S)
    return True


def pause(seconds: float) -> None:
    """The pause between two looks at something that cannot be waited for."""
    time.sleep(seconds)  # noqa: TID251
