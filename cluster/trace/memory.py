"""A journal in memory, for tests and for the simulator."""

from __future__ import annotations

from cluster.trace.hop import Hop


class MemoryJournal:
    """A `Journal` that keeps everything."""

    def __init__(self) -> None:
        self.hops: list[Hop] = []

    def append(self, hop: Hop) -> None:
        """Keep the hop."""
        self.hops.append(hop)

    def read(self, trace_id: str) -> list[Hop]:
        """The hops of one stanza, in the order of their times."""
        return sorted((hop for hop in self.hops if hop.trace_id == trace_id), key=lambda hop: hop.at_utc_ns)
