"""What the reader of a link hands its entries to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from cluster.base.settled import Settled


class Gate(Protocol):
    """Takes in what comes over one link."""

    def may_read(self, unsettled: int, unsettled_bytes: int) -> bool:
        """Whether more of the link may be read while so many of its entries, of so many bytes, have not settled."""

    def take(self, entry_id: str, items: list[Any]) -> Settled:
        """The items of one entry. Fails with ConnectionLost where the entry has to be read again."""

    def let_go(self) -> None:
        """Somebody else reads the link from now on: fail what is held back here."""


OpenGate = Callable[[str, Callable[[], None]], Gate]
"""Makes the gate of the link from that end; it calls the function when it has room for more than before."""
