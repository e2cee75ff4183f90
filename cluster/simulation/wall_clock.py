"""The time of day by the clock of one machine, which outlives the processes there."""

from __future__ import annotations

from cluster.virtual.timeline import NS, Timeline

START_UTC_S = 1_700_000_000
"""2023-11-14T22:13:20Z: the time of day at the start of each run."""


class WallClock:
    """A clock that may be wrong, run too fast or too slow, and be set. It shows the right time until then."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._set_at_s = self._ahead_s = self._drift = 0.0

    @property
    def ahead_s(self) -> float:
        """How far it is ahead of the right time; negative: behind."""
        return self._ahead_s + self._drift * (self._timeline.seconds() - self._set_at_s)

    def put_ahead(self, ahead_s: float, drift: float = 0.0) -> None:
        """Set it so far ahead of the right time; from then on it gains `drift` seconds in each."""
        self._set_at_s, self._ahead_s, self._drift = self._timeline.seconds(), ahead_s, drift

    def utc_s(self) -> float:
        """Seconds since the epoch."""
        return START_UTC_S + self._timeline.seconds() + self.ahead_s

    def utc_ns(self) -> int:
        """The same in nanoseconds."""
        return START_UTC_S * NS + self._timeline.now_ns + int(self.ahead_s * NS)
