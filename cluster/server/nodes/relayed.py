"""Stanzas that other nodes read from links and sent on, so that repetitions are recognised."""

from __future__ import annotations

from typing import TypeVar

from cluster.xmpp.jid import Jid

REMEMBERED = 16_384
"""Stanzas, about 3 MB: many more than a reader can have unacknowledged (router/inbound.py)."""

_Result = TypeVar("_Result")
Place = tuple[str, Jid | None]
"""The place of a stanza in a link, and its receiver: the copies of one stanza for many share the place."""


class RelayedPlaces:
    """The last places in the links of stanzas that came from another node, and that node.

    When the reader of a link dies, the next one starts with the unacknowledged entries, whose stanzas may be here
    already, in sessions that survived. A repetition from the same node is intended: the link has that fault.
    """

    def __init__(self) -> None:
        self.nodes: dict[Place, str] = {}
        """By place. Usually empty, so callers on the message path check it first."""

    def is_known(self, place: Place, node: str) -> bool:
        """Whether it came from a node other than this one."""
        return self.nodes.get(place, node) != node

    def note(self, place: Place, node: str) -> None:
        """Remember the place."""
        self.nodes[place] = node
        if len(self.nodes) > REMEMBERED:
            del self.nodes[next(iter(self.nodes))]

    def forget(self, result: _Result, place: Place) -> _Result:
        """Forget the place: the stanza was not delivered, and will come again."""
        self.nodes.pop(place, None)
        return result
