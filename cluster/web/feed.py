"""What one open page has not been told yet: a bounded buffer of changes, written at most ten times a second."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cluster.trace.hop import Hop

MAX_HOPS = 200
"""For one write; further ones are counted."""
MAX_SAID = 500
"""Events of the chat panes that wait for one page."""

State = Mapping[str, Any]
"""Named values such as `node s1`: a later one replaces the earlier; None: it is gone."""


class Feed:
    """The changes for one page since the last `take`."""

    def __init__(self, state: State) -> None:
        """`state`: all of it, which the page gets first."""
        self._state: dict[str, Any] = dict(state)
        self._hops: deque[Hop] = deque(maxlen=MAX_HOPS)
        self._missed = 0
        self._moves: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._said: deque[Any] = deque(maxlen=MAX_SAID)

    def change(self, state: State) -> None:
        """These values have changed."""
        self._state.update(state)

    def pass_on(
        self, hops: Sequence[Hop], missed: int, moves: Mapping[tuple[str, str], int], failures: Mapping[str, int]
    ) -> None:
        """Hops, how many more there were, and what they are on the map."""
        self._missed += missed + max(0, len(self._hops) + len(hops) - MAX_HOPS)
        self._hops.extend(hops)
        self._moves.update({" ".join(line): count for line, count in moves.items()})
        self._failures.update(failures)

    def say(self, events: Iterable[Any]) -> None:
        """Events of chat panes."""
        self._said.extend(events)

    def take(self) -> dict[str, Any]:
        """All changes as one document; empty if there are none."""
        found = {
            "state": self._state,
            "hops": [hop_row(hop) for hop in self._hops],
            "missed": self._missed,
            "moves": dict(self._moves),
            "failures": dict(self._failures),
            "said": list(self._said),
        }
        self._state, self._missed = {}, 0
        for kept in (self._hops, self._moves, self._failures, self._said):
            kept.clear()
        return {name: value for name, value in found.items() if value}


def hop_row(hop: Hop) -> tuple[Any, ...]:
    """A hop for the page, in the order of its fields; the time in milliseconds since the epoch."""
    return (
        hop.trace_id, hop.node, hop.event, hop.at_utc_ns / 1e6, hop.kind, hop.from_, hop.to, hop.size_bytes,
        hop.detail, hop.reason,
    )  # fmt: skip
