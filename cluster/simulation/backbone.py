"""What joins the nodes of a simulated lab and outlives them: links between domains, nodes of a domain, stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred

from cluster.base.turn import Turn
from cluster.membership.port import Nodes
from cluster.router.link_faults import LinkFaults
from cluster.router.port import Router
from cluster.router.s2s.ports import Counts
from cluster.router.settings import FaultSettings
from cluster.simulation.chance import Chance
from cluster.simulation.late_store import TakesS
from cluster.store.port import Account, RosterItem, Store
from cluster.topology.plan import XmpplabServer
from cluster.trace.hop import Journal, Tracer
from cluster.virtual.host import Host


class Process(NamedTuple):
    """One life of a node."""

    node: XmpplabServer
    host: Host
    new_id: Callable[[], str]
    utc_s: Callable[[], float]
    """Seconds since the epoch."""
    chance: Chance


class Carriers(NamedTuple):
    """The ports of a server to its backbone."""

    store: Store
    router: Router
    nodes: Nodes
    faults: LinkFaults
    """Of the links into the domain."""
    counts: Counts
    """Of the streams of other servers."""


class Attachment(Protocol):
    """The end of a backbone in one process."""

    journal: Journal

    async def connect(self) -> None:
        """Called first. Raises Unreachable."""

    def carriers(self, turn: Turn, tracer: Tracer) -> Carriers:
        """Made once, before `connect`."""

    def crashed(self) -> None:
        """The process is gone."""


class Unreachable(Exception):
    """The process cannot start without what is away; it is to be tried again."""


class LinkCount(NamedTuple):
    """What one link has carried."""

    from_: str
    """Domain."""
    to: str
    """Domain."""
    written: int
    """Batches of stanzas since the start."""
    waiting: int
    """Batches that are not acknowledged."""


class Backbone(Protocol):
    """The router, the memberships and the stores of a lab."""

    def start(self) -> None:
        """Called before anything else."""

    def seed(self, domain: str, account: Account, roster: Sequence[RosterItem]) -> Deferred[Any]:
        """Create an account, unless it exists."""

    def store(self, domain: str) -> Store:
        """The storage of a domain, for somebody who looks at it from outside: it answers at once."""

    def attach(self, process: Process) -> Attachment:
        """For a process that starts."""

    def set_faults(self, from_: str, to: str, settings: FaultSettings) -> None:
        """Replace the faults of the link from one domain to another."""

    def let_disk_take(self, takes_s: TakesS | None) -> None:
        """From now on its disk takes so long for what is written, and answers come later; None: no time."""

    def links(self) -> Iterable[LinkCount]:
        """The links between domains that were ever used."""

    def left_over(self) -> list[str]:
        """What nobody has read."""
