"""Faults of a test."""

from __future__ import annotations

from cluster.lab.api import Lab


class Faults:
    """What a test breaks in a lab, until it is cleared."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._before: dict[tuple[str, str], dict[str, str]] = {}
        """The former faults of each link that was changed."""
        self._paused: list[str] = []

    def __call__(self, from_: str, to: str, *, both: bool = False, **faults: str) -> None:
        """Give the link from one server to another these faults, as `xmpplab fault set` does: `delay="200ms"`.

        `from_` and `to` are names or domains; `both`: the other direction too.
        """
        known = {(link.from_, link.to): link.faults for link in self._lab.faults.ls()}
        for link in self._lab.faults.set(from_, to, faults, both=both):
            ends = (link.from_, link.to)
            self._before.setdefault(ends, known.get(ends, {}))

    def pause(self, node: str) -> None:
        """Let a node hang, as `xmpplab pause` does."""
        self._lab.act(node, "pause")
        self._paused.append(node)

    def clear(self) -> None:
        """Undo what was done: links have their former faults, and paused nodes run."""
        while self._paused:
            node = self._paused.pop()
            if self._lab.node(node).state == "paused":
                self._lab.act(node, "resume")
        while self._before:
            (from_, to), faults = self._before.popitem()
            self._lab.faults.clear(from_, to)
            if faults:
                self._lab.faults.set(from_, to, faults)
