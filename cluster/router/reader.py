"""The sink to which the reader of a link passes its entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from cluster.base.settled import Settled


class EntrySink(Protocol):
    """Accepts the entries of one link. Sinks wrap one another: faults before the guard before the domain."""

    def may_read(self, unsettled: int, unsettled_bytes: int) -> bool:
        """Whether to read on while this number of the link's entries, with this number of bytes, has not settled."""

    def take(self, entry_id: str, items: list[Any], first: int = 0) -> Settled:
        """Items of one entry, from its `first` on. Fails with ConnectionLost if the entry has to be read again.

        `entry_id`: `milliseconds-number`, by the clock of its sender's end; the same each time that the entry is read.
        """

    def let_go(self) -> None:
        """Another process reads the link from now on: fail the stanzas that are held here."""


OpenSink = Callable[[str, Callable[[], None]], EntrySink]
"""Makes the sink of the link from that end; it calls the function when it has room for more than before."""
