"""What other nodes have sent on of the links that they read, so that it is known when it is read again."""

from __future__ import annotations

from typing import TypeVar

REMEMBERED = 16_384
"""Stanzas, about 3 MB: much more than a reader has under way that has not been acknowledged (router/inbound.py)."""

_Result = TypeVar("_Result")


class RelayedPlaces:
    """The last places in the links from which stanzas have come by way of another node, and which node that was.

    When the reader of a link dies, the next one begins with what was not acknowledged; and that may be here already,
    in sessions that live on. What the same node sends on twice it means so: the link has that fault.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}
        """By place. Mostly empty, so whoever asks often looks here first."""

    def is_known(self, place: str, node: str) -> bool:
        """It has come by way of another node than this one."""
        return self.nodes.get(place, node) != node

    def note(self, place: str, node: str) -> None:
        """It comes now."""
        self.nodes[place] = node
        if len(self.nodes) > REMEMBERED:
            del self.nodes[next(iter(self.nodes))]

    def forget(self, result: _Result, place: str) -> _Result:
        """It could not be delivered, and is to come again."""
        self.nodes.pop(place, None)
        return result
