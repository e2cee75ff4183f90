"""Waiting for a condition, for commands; servers have the reactor for that."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.02
"""Parts of a lab come up within tenths of a second, so looking this often is not felt."""


def wait_until(condition: Callable[[], object], timeout_s: float) -> bool:
    """Look until it holds, then True; False when it did not for so long."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        pause(POLL_S)
    return True


def pause(seconds: float) -> None:
    """Between two looks at a thing that cannot be waited for."""
    time.sleep(seconds)  # noqa: TID251
