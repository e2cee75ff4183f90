"""The port between the nodes of one domain.

At any time an account belongs to at most one node: its stanzas are handled there, also those of clients whose streams
end at another node. So no state of an account is in two places, and its order is that of one process. A hosted service
belongs to a node in the same way, by a name that is no localpart.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from cluster.base.settled import Settled
from cluster.router.assignment import LinkAssignment
from cluster.xmpp.errors import StanzaError


class Frame(Protocol):
    """A message from one node to another; its meaning is defined by its users."""

    @property
    def raw(self) -> bytes:
        """Its largest part, by which its size is measured."""

    @property
    def trace_id(self) -> str:
        """Empty: frames are not followed; the stanzas in them may be."""


class Server(Protocol):
    """The part of a server that handles events of the other nodes."""

    def take(self, node: str, frame: Any, place: str) -> Settled:
        """A frame from that node, or for a node that is gone. It settles as a stanza does.

        `place`: its place in all inboxes, the same each time that it is read.
        """

    def refuse(self, frame: Any, error: StanzaError) -> None:
        """A frame cannot be sent: too much waits for that node."""

    def gone(self, node: str) -> None:
        """The process of that node is gone, whether or not a new one exists."""

    async def restore(self, localpart: str) -> None:
        """An account of a node that is gone belongs here now: load its sessions, because the frames that the node was
        sent are read next. All others wait for `adopt`. Fails if Redis is away or refuses, and is then called again."""

    async def adopt(self, localpart: str) -> None:
        """All frames have been read. The account belongs here until this returns, and as long as it is claimed.

        Fails as `restore` does.
        """

    def fenced(self) -> None:
        """The other nodes have fenced this one, and taken over its work: end at once, and do nothing more."""


class Nodes(Protocol):
    """One of the nodes that serve its domain."""

    name: str
    share: LinkAssignment
    """Which links into the domain this node reads."""

    @property
    def is_alone(self) -> bool:
        """No other node serves the domain now, and no node has left anything that is not taken over yet."""

    def claim(self, localpart: str) -> Deferred[str]:
        """The owner of the account: if it is this node, then until `release` was called as often. Claims of one account
        are answered in their order, apart from those for frames of a node that is gone, which come first.

        While the storage is away it waits; it fails if the storage refuses.
        """

    def claim_again(self, localpart: str) -> None:
        """Claim once more an account that is claimed here already, or is being restored."""

    def release(self, localpart: str) -> None:
        """This use of the account here has ended."""

    def send(self, node: str, frame: Frame) -> Settled:
        """Send a frame to another node; in order, and settled when a crash of this process can no longer lose it."""

    def send_home(self, node: str, frame: Frame) -> Settled:
        """As `send`, for what no heir can take, as for a component that connects there: while the node is gone, it
        waits for its next process."""

    async def start(self, server: Server) -> None:
        """Join the other nodes, and take over from a former process of this name."""

    async def stop(self) -> None:
        """Write what is queued, and leave."""


class OnlyNode:
    """The node of a domain that has only one: it owns every account."""

    is_alone = True

    def __init__(self, name: str, share: LinkAssignment) -> None:
        self.name = name
        self.share = share

    def claim(self, localpart: str) -> Deferred[str]:
        """Always this node."""
        claimed: Deferred[str] = Deferred()
        claimed.callback(self.name)
        return claimed

    def claim_again(self, localpart: str) -> None:
        """Nothing to do."""

    def release(self, localpart: str) -> None:
        """Nothing to do."""

    def send(self, node: str, frame: Frame) -> Settled:
        """There is no other node."""
        raise AssertionError(f"{self.name} is the only node, and was to write to {node}")

    def send_home(self, node: str, frame: Frame) -> Settled:
        """There is no other node."""
        return self.send(node, frame)

    async def start(self, server: Server) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""
