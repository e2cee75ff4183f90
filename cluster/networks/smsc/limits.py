"""The rate and the answers of a message centre, which a test or an operator sets."""

from __future__ import annotations

from collections.abc import Callable

from cluster.base.rate import RateLimit
from cluster.protocols.smpp.constants import CommandStatus


class Limits:
    """A rate for the message centre, the delay of its answers, and a refusal."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """`seconds`: a steady clock."""
        self.refusal: CommandStatus | None = None
        """The answer to each submit_sm; None: no refusal."""
        self.delay_s = 0.0
        """Between a submit_sm and its response."""
        self._seconds = seconds
        self.limit(0.0)

    def limit(self, max_per_s: float) -> None:
        """Accept at most this many messages in a second, from all ESMEs together; 0: no limit."""
        self._rate = RateLimit(max_per_s, self._seconds)

    def admits(self) -> bool:
        """Whether to accept one more; False: the ESME is throttled. A second's worth may come at once."""
        return self._rate.take()
