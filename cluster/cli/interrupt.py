"""Ctrl-C, SIGTERM and SIGHUP as one exception, raised once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, the first of SIGNALS raises KeyboardInterrupt; further ones do not disturb what cleans up after it.

    One that is ignored (nohup) stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handled(interrupt):
        yield


@contextmanager
def noted_interrupts() -> Iterator[Callable[[], bool]]:
    """Within, what is yielded becomes true with the first of SIGNALS: for what would catch an exception itself."""
    noted: list[int] = []
    with _handled(lambda number, frame: noted.append(number)):
        yield lambda: bool(noted)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: former for number, former in before.items() if former is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
