"""How much a message centre takes, and how fast: what a test or an operator turns to see a gateway cope."""

from __future__ import annotations

from collections.abc import Callable

from cluster.base.rate import RateLimit
from cluster.protocols.smpp.constants import CommandStatus


class Limits:
    """A rate for each message centre, the time that it takes to answer, and what it answers."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """`seconds`: a clock that runs steadily."""
        self.refusal: CommandStatus | None = None
        """To each submit_sm; None: none is refused."""
        self.delay_s = 0.0
        """Between a submit_sm and its response."""
        self._seconds = seconds
        self.limit(0.0)

    def limit(self, max_per_s: float) -> None:
        """Accept at most this many messages in a second, from all ESMEs together; 0: no limit."""
        self._rate = RateLimit(max_per_s, self._seconds)

    def admits(self) -> bool:
        """Accept one more? False: the ESME is throttled. A second's worth may come at once."""
        return self._rate.take()
