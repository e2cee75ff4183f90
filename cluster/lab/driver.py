"""The port of all drivers, which run a lab, and the driver of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from cluster.lab import DriverKind
from cluster.lab.errors import Down
from cluster.lab.folder import LabFolder
from cluster.lab.logs import LogLine
from cluster.lab.progress import Tell
from cluster.lab.state import NodeAction, NodeState
from cluster.topology.plan import Plan


class LogStream(Protocol):
    """The log of the nodes, read in parts."""

    def read(self) -> Iterator[tuple[str, LogLine]]:
        """The lines since the last call, as (node, line), by time."""


class Driver(Protocol):
    """Runs one lab. All methods raise LabError."""

    def up(self, plans: Sequence[Plan], tell: Tell, owner: int | None = None) -> tuple[Plan, bool]:
        """Bring it up and wait until every node is ready: the running plan, and False if it was running already.

        `owner`: the id of the process with whose end the lab is taken down. Containers do not end with it.
        """

    def down(self, *, keep: bool) -> bool:
        """Stop everything; remove the folder unless its data are kept. False if nothing was running."""

    def status(self) -> list[NodeState]:
        """All nodes, Redis first."""

    def is_up(self) -> bool:
        """Whether the lab is running."""

    def story(self, node: str | None) -> LogStream:
        """The log of all nodes or of one. Raises BadInput for an unknown node."""

    def apply(self, plan: Plan) -> None:
        """Start the nodes that this plan has in addition to the running one, stop those that it lacks; wait until all
        are ready."""

    def act(self, node: NodeState, action: NodeAction, for_s: float) -> None:
        """Do this to a node; returns when it is done. `for_s`: a killed node is started again after this time."""


def kind_of(folder: LabFolder) -> DriverKind:
    """The driver of the lab in this folder: a lab in containers has their files there."""
    return "docker" if folder.containers.exists() else "process"


def driver(kind: DriverKind, folder: LabFolder) -> Driver:
    """The driver of this kind for the lab in this folder, or that of exported labs; only this one is imported."""
    if folder.orchestrator is not None:
        from cluster.lab.containers.exported import ExportedDriver

        return ExportedDriver(folder, folder.orchestrator)
    if kind == "docker":
        from cluster.lab.containers.driver import ContainerDriver

        return ContainerDriver(folder)
    from cluster.lab.processes.driver import ProcessDriver

    return ProcessDriver(folder)


def driver_of(folder: LabFolder) -> Driver:
    """The driver of the lab in this folder."""
    return driver(kind_of(folder), folder)


def check_up(folder: LabFolder, driver: Driver) -> None:
    """Raises Down if the lab in this folder is not running."""
    if folder.is_simulated or not driver.is_up():
        raise Down(folder.why_down())
