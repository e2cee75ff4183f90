"""The port between the nodes of one domain.

At any time an account belongs to one node at the most: all that concerns it happens there, also what its clients do
whose streams end at another node. So nothing of an account is in two places, and its order is that of one process.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from cluster.base.settled import Settled
from cluster.router.assignment import LinkAssignment
from cluster.xmpp.errors import StanzaError


class Frame(Protocol):
    """What one node tells another; what it means is for those who exchange it."""

    @property
    def raw(self) -> bytes:
        """The bulk of it, by which it is measured."""

    @property
    def trace_id(self) -> str:
        """Empty: frames are not followed; what is in them may be."""


class Server(Protocol):
    """What a node does when it hears of the others."""

    def take(self, node: str, frame: Any, place: str) -> Settled:
        """A frame from that node, or one that was for a node that is gone. It settles as a stanza does.

        `place`: where it is in all inboxes, the same each time that it is read.
        """

    def refuse(self, frame: Any, error: StanzaError) -> None:
        """A frame cannot be carried: too much waits for that node."""

    def gone(self, node: str) -> None:
        """The process that was this node is no more, whether or not a new one is."""

    async def restore(self, localpart: str) -> None:
        """An account of a node that is gone belongs here now: make of it what can be made, for what that node was still
        sent is read now. Nobody else gets to the account before `adopt`. Fails where Redis is away or refuses, and is
        called again then."""

    async def adopt(self, localpart: str) -> None:
        """All has been read. The account belongs here for as long as this takes, or as somebody has it claimed.

        Fails as `restore` does.
        """

    def expelled(self) -> None:
        """The others take this node for dead, and have taken over its work: end at once, and do nothing more."""


class Nodes(Protocol):
    """One node among those that serve its domain."""

    name: str
    share: LinkAssignment
    """Which links into the domain this node reads."""

    @property
    def is_alone(self) -> bool:
        """Nobody else serves the domain now, and nobody has left anything that is not taken over yet."""

    def claim(self, localpart: str) -> Deferred[str]:
        """The node that the account belongs to: if it is this one, then until `release` was called as often.

        Fails with ConnectionLost where that cannot be known now.
        """

    def claim_again(self, localpart: str) -> None:
        """Claim once more what is claimed here already, or is being restored."""

    def release(self, localpart: str) -> None:
        """Nothing happens with the account here."""

    def send(self, node: str, frame: Frame) -> Settled:
        """Tell another node; in order, and settled when a crash of this process cannot lose it any more."""

    async def start(self, server: Server) -> None:
        """Be one of the nodes, and take over what belongs to a former process of this name."""

    async def stop(self) -> None:
        """Write what is queued; from then on the others take this node for gone."""


class OnlyNode:
    """The one node of a domain that has no others and never will: every account is its own."""

    is_alone = True

    def __init__(self, name: str, share: LinkAssignment) -> None:
        self.name = name
        self.share = share

    def claim(self, localpart: str) -> Deferred[str]:
        """Always this one."""
        claimed: Deferred[str] = Deferred()
        claimed.callback(self.name)
        return claimed

    def claim_again(self, localpart: str) -> None:
        """It is."""

    def release(self, localpart: str) -> None:
        """Nobody else wants it."""

    def send(self, node: str, frame: Frame) -> Settled:
        """There is nobody."""
        raise AssertionError(f"{self.name} is the only node, and was to write to {node}")

    async def start(self, server: Server) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""
