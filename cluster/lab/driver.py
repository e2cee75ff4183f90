"""What runs a lab: the port of all drivers, and the driver of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from cluster.lab import DriverKind
from cluster.lab.folder import LabFolder
from cluster.lab.logs import LogLine
from cluster.lab.progress import Tell
from cluster.lab.state import NodeAction, NodeState
from cluster.topology.plan import Plan


class LogStream(Protocol):
    """What the nodes say, read bit by bit."""

    def read(self) -> Iterator[tuple[str, LogLine]]:
        """What was added since the last call, as (node, line), by time."""


class Driver(Protocol):
    """Runs one lab. All methods raise LabError."""

    def up(self, plans: Sequence[Plan], tell: Tell) -> tuple[Plan, bool]:
        """Bring it up and wait until every part answers: the plan that runs, and False where it ran already."""

    def down(self, *, keep: bool) -> bool:
        """Stop everything; remove the folder unless its data are kept. False where nothing ran."""

    def status(self) -> list[NodeState]:
        """What runs, Redis first."""

    def is_up(self) -> bool:
        """True while the lab runs."""

    def story(self, node: str | None) -> LogStream:
        """The log of all nodes or of one. Raises BadInput where there is no such node."""

    def apply(self, plan: Plan) -> None:
        """Start what this plan has more than the one that runs, and stop what it has not; wait until all answers."""

    def act(self, node: NodeState, action: NodeAction, for_s: float) -> None:
        """Do this to a node; returns when it is done. `for_s`: one that was killed is started again after so long."""


def kind_of(folder: LabFolder) -> DriverKind:
    """Which driver the lab in this folder was brought up with: one in containers has what they read there."""
    return "docker" if folder.containers.exists() else "process"


def driver(kind: DriverKind, folder: LabFolder) -> Driver:
    """The driver of this kind for the lab in this folder; only that one is imported."""
    if kind == "docker":
        from cluster.lab.containers.driver import ContainerDriver

        return ContainerDriver(folder)
    from cluster.lab.processes.driver import ProcessDriver

    return ProcessDriver(folder)


def driver_of(folder: LabFolder) -> Driver:
    """The driver of the lab in this folder."""
    return driver(kind_of(folder), folder)
