"""The progress of a run, on standard error: one line that changes on a terminal, otherwise a line now and then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TextIO

TERMINAL_EVERY_S = 0.2
FILE_EVERY_S = 5.0


class Observer(Protocol):
    """Gets the progress of a run."""

    def show(self, now_s: float, sent: int, arrived: int, doing: Sequence[str]) -> None:
        """So far: stanzas sent and arrived, and the steps that are under way. Called often."""

    def end(self) -> None:
        """The run is over."""


class Progress:
    """Shows one run after the other; see `begin`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._every_s = TERMINAL_EVERY_S if stream.isatty() else FILE_EVERY_S
        self._name = ""
        self._duration_s = 0.0
        self._next_s = 0.0
        self._doing: Sequence[str] = ()
        self._width = 0

    def begin(self, name: str, duration_s: float) -> None:
        """Start a run of this scenario; `duration_s`: until the last stanza is sent."""
        self._name, self._duration_s, self._next_s = name, duration_s, 0.0

    def show(self, now_s: float, sent: int, arrived: int, doing: Sequence[str]) -> None:
        """Called often; shows the counts now and then, and whenever a step begins or ends."""
        if now_s < self._next_s and list(doing) == list(self._doing):
            return
        self._next_s, self._doing = now_s + self._every_s, list(doing)
        what = f"; {', '.join(doing)}" if doing else ""
        if now_s > self._duration_s and not doing:
            what = "; all is sent, waiting until it has settled"
        line = f"{self._name}: {now_s:.1f} s of {self._duration_s:g} s, {sent:,} sent, {arrived:,} arrived{what}"
        if self._stream.isatty():
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def end(self) -> None:
        """The run is over: remove its line."""
        if self._stream.isatty():
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
        self._width = 0
