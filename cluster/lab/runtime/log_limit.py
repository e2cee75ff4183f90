"""Limits the rate of each kind of log line: a peer may cause lines, but not as many as it likes."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import LogEvent

BURST = 50
"""Lines of one kind that may come at once."""
PER_S = 1.0
"""Further lines per second."""
MAX_KINDS = 1_000
"""A kind is a place in the code, so there are far fewer, unless code builds its formats from a peer's input."""


class _Kind:
    """Tokens, and the number of lines that came without one."""

    __slots__ = ("at_s", "left_out", "tokens")

    def __init__(self, now_s: float) -> None:
        self.tokens = float(BURST)
        self.at_s = now_s
        self.left_out = 0


class LogLimit:
    """An `ILogObserver` in front of another. A kind of line is a namespace and a format."""

    def __init__(self, write: Callable[[LogEvent, str], None], now_s: Callable[[], float]) -> None:
        """`write` gets each event that passes, and a remark to append."""
        self._write = write
        self._now_s = now_s
        self._kinds: dict[tuple[object, object], _Kind] = {}

    def __call__(self, event: LogEvent) -> None:
        """Pass the event on, or count it. The first omission is announced, the total is reported later."""
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
