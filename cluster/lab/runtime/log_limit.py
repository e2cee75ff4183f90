"""What a process logs, held to a rate for each kind of line: a peer may cause lines, but not as many as it likes."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import LogEvent

BURST = 50
"""Lines of one kind that may come at once."""
PER_S = 1.0
"""And after that, in a second."""
MAX_KINDS = 1_000
"""A kind is a place in the code, so there are far fewer; unless one makes its formats of what a peer says."""


class _Kind:
    """Tokens, and what came while there were none."""

    __slots__ = ("at_s", "left_out", "tokens")

    def __init__(self, now_s: float) -> None:
        self.tokens = float(BURST)
        self.at_s = now_s
        self.left_out = 0


class LogLimit:
    """An `ILogObserver` in front of another. Lines are of one kind that come from one place: namespace and format."""

    def __init__(self, write: Callable[[LogEvent, str], None], now_s: Callable[[], float]) -> None:
        """`write` gets each event that passes, and what is to be said behind it."""
        self._write = write
        self._now_s = now_s
        self._kinds: dict[tuple[object, object], _Kind] = {}

    def __call__(self, event: LogEvent) -> None:
        """Pass it on, or count it. The first that is left out is announced, all of them are told of later."""
        now_s = self._now_s()
        name = (event.get("log_namespace"), event.get("log_format"))
        kind = self._kinds.get(name)
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                del self._kinds[next(iter(self._kinds))]
            kind = self._kinds[name] = _Kind(now_s)
        kind.tokens = min(BURST, kind.tokens + (now_s - kind.at_s) * PER_S)
        kind.at_s = now_s
        if kind.tokens < 1:
            kind.left_out += 1
            return
        kind.tokens -= 1
        remark = f" ({kind.left_out} lines like this one were left out)" if kind.left_out else ""
        if kind.tokens < 1 and not remark:
            remark = " (further lines like this one are left out for now)"
        kind.left_out = 0
        self._write(event, remark)
