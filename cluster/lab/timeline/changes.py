"""Marks for nodes whose state changes from one look to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cluster.lab.progress import shortened
from cluster.lab.state import NodeState, State
from cluster.lab.timeline.rows import Mark


class StateChanges:
    """The states of nodes at the last look."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}

    def marks(self, nodes: Sequence[NodeState], at_utc_s: float) -> Iterator[Mark]:
        """Mark nodes that end or hang, for any reason, and nodes that are back; not their first start.

        One mark for all to which the same happens: those of one process.
        """
        changed: dict[str, list[str]] = {}
        for node in nodes:
            before = self._states.get(node.name)
            if before is not None and node.state != before and "running" in (node.state, before):
                has_ended = node.state not in ("running", "paused") and node.last_exit
                what = f"{node.state} ({node.last_exit})" if has_ended else node.state
                changed.setdefault(what, []).append(node.name)
            if before is not None or node.state == "running":
                self._states[node.name] = node.state
        for what, names in changed.items():
            yield Mark(at_utc_s, f"{shortened(names)} {'is' if len(names) == 1 else 'are'} {what}")
