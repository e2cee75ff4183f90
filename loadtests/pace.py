"""An open workload: the times at which messages are due do not depend on earlier messages."""

from __future__ import annotations


class Pace:
    """The times at which the messages of one user are due, on a clock in nanoseconds.

    A user that was delayed sends at once what has become due since. Latency counts from the due time, so that a stall
    shows in every message that it delayed, not only in the first (no coordinated omission).
    """

    def __init__(self, rate_per_s: float, begin_ns: int, phase: float) -> None:
        """The first message is due this part of an interval (`phase`, 0 to 1) after the beginning.

        Raises ValueError for a rate that is not positive.
        """
        if not rate_per_s > 0:
            raise ValueError(f"the rate must be more than 0 messages per second, not {rate_per_s:g}")
        self._interval_ns = 1e9 / rate_per_s
        self._first_due_ns = begin_ns + round(phase * self._interval_ns)
        self._taken = 0
        self.due_ns = self._first_due_ns
        """When the next message is due."""

    def wait_s(self, now_ns: int) -> float:
        """How long until then; 0 when it is overdue."""
        return max(0.0, (self.due_ns - now_ns) / 1e9)

    def take(self) -> int:
        """The due time of the next message, which is sent now."""
        due_ns = self.due_ns
        self._taken += 1
        self.due_ns = self._first_due_ns + round(self._taken * self._interval_ns)
        return due_ns
