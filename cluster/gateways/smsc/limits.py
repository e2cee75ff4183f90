"""How much a message centre takes, and how fast: what a test or an operator turns to see a gateway cope."""

from __future__ import annotations

from cluster.gateways.smpp.constants import CommandStatus


class Limits:
    """A rate for each message centre, the time that it takes to answer, and what it answers."""

    def __init__(self) -> None:
        self.refusal: CommandStatus | None = None
        """To each submit_sm; None: none is refused."""
        self.delay_s = 0.0
        """Between a submit_sm and its response."""
        self._max_per_s = 0.0
        self._tokens = 0.0
        self._at_s = 0.0

    @property
    def max_per_s(self) -> float:
        """Messages that it takes in a second, for all ESMEs together; 0: as many as come."""
        return self._max_per_s

    @max_per_s.setter
    def max_per_s(self, value: float) -> None:
        self._max_per_s = value
        self._tokens = max(value, 1.0)

    def admits(self, now_s: float) -> bool:
        """Take one more? False: the ESME is throttled. A second's worth may come at once."""
        if not self._max_per_s:
            return True
        full = max(self._max_per_s, 1.0)
        self._tokens = min(full, self._tokens + (now_s - self._at_s) * self._max_per_s)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
