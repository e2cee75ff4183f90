"""Which driver runs a lab, and what all drivers do: bring a plan up and down, tell of it, and disturb a node of it.

The state folder remembers the driver: a lab in containers has what they read there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

from cluster.lab import processes
from cluster.lab.containers import driver as containers
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder, is_full
from cluster.lab.logs import LogLine
from cluster.lab.progress import Tell, untold
from cluster.lab.state import Disturbance, NodeState, State
from cluster.lab.wait import wait_until
from cluster.topology.plan import Plan
from cluster.topology.scale import with_nodes

Kind = Literal["process", "docker"]

DISTURBED_TIMEOUT_S = 60.0
"""As long as `up` waits for a part to answer."""

_NEEDED: dict[Disturbance, State] = {"kill": "running", "pause": "running", "resume": "paused", "restart": "running"}


class Story(Protocol):
    """What the nodes say, read bit by bit."""

    def read(self) -> Iterator[tuple[str, LogLine]]:
        """What was added since the last call, as (node, line), by time."""


class Driver(Protocol):
    """One way to run a lab; a module with these functions. All raise LabError."""

    def up(self, folder: LabFolder, plans: Sequence[Plan], tell: Tell) -> tuple[Plan, bool]:
        """Bring it up and wait until every part answers: the plan that runs, and False where it ran already."""

    def down(self, folder: LabFolder, *, keep: bool) -> bool:
        """Stop everything; remove the folder unless its data are kept. False where nothing ran."""

    def status(self, folder: LabFolder) -> list[NodeState]:
        """What runs, Redis first."""

    def is_up(self, folder: LabFolder) -> bool:
        """True while the lab runs."""

    def story(self, folder: LabFolder, node: str | None) -> Story:
        """The log of all nodes or of one. Raises BadInput where there is no such node."""

    def apply(self, folder: LabFolder, plan: Plan) -> None:
        """Start what this plan has more than the one that runs, and stop what it has not; wait until all answers."""

    def disturb(self, folder: LabFolder, node: NodeState, how: Disturbance, for_s: float) -> None:
        """Do this to a node; returns when it is done. `for_s`: one that was killed is started again after so long."""


def of(folder: LabFolder) -> Driver:
    """The driver of the lab in this folder."""
    return containers if folder.containers.exists() else processes


def up(folder: LabFolder, plans: Sequence[Plan], kind: Kind = "process", tell: Tell = untold) -> tuple[Plan, bool]:
    """Bring the lab up with this driver; see `Driver.up`."""
    had_data = folder.plan_file.exists()
    wanted = _of_kind(kind)
    if had_data and of(folder).is_up(folder):
        check_kind(folder, kind)
    try:
        return wanted.up(folder, plans, tell)
    except OSError:
        if not had_data and not folder.is_locked():
            folder.remove()
        raise


def check_kind(folder: LabFolder, kind: Kind) -> None:
    """Raises LabError where the lab in this folder has another driver."""
    if of(folder) is not _of_kind(kind):
        raise LabError(f"lab {folder.name!r} was brought up with the other driver; run `xmpplab down` first")


def _of_kind(kind: Kind) -> Driver:
    return containers if kind == "docker" else processes


def down(folder: LabFolder, *, keep: bool) -> bool:
    """Take the lab down, whichever driver it has; see `Driver.down`."""
    return of(folder).down(folder, keep=keep)


def scale(folder: LabFolder, nodes: Mapping[str, int]) -> Plan:
    """Give servers so many nodes, by their names, while the lab runs: the plan that runs now.

    Raises BadInput, LabError.
    """
    plan = folder.plan()
    if not of(folder).is_up(folder):
        raise LabError(f"lab {folder.name!r} is down; bring it up with `xmpplab up`, then scale it")
    more_first = sorted(nodes.items(), key=lambda wish: wish[1] < len(plan.nodes_of(wish[0])))
    for server, count in more_first:  # so that no new node gets the address of one that has yet to go
        try:
            plan = with_nodes(plan, server, count)
        except ValueError as error:
            raise BadInput(str(error)) from None
    if plan != folder.plan():
        of(folder).apply(folder, plan)
    return plan


def disturb(folder: LabFolder, name: str, how: Disturbance, for_s: float = 0.0) -> None:
    """Do this to the node of this name, and wait until it shows. Raises BadInput, LabError.

    `for_s`: a node that is killed is started again after so long, not at once.
    """
    node = _node(folder, name)
    if node.state != _NEEDED[how]:
        raise LabError(f"cannot {how} {name}: it is {node.state}, not {_NEEDED[how]}")
    of(folder).disturb(folder, node, how, for_s)

    def shows() -> bool:
        now = _node(folder, name)
        if how == "pause":
            return now.state == "paused"
        is_new = now.started_utc != node.started_utc
        return now.state == "running" and (is_new or how == "resume")

    if not wait_until(shows, DISTURBED_TIMEOUT_S + for_s):
        why = f"the disk of {folder.path} is full; " if is_full(folder.path) else ""
        raise LabError(
            f"{name} is {_node(folder, name).state}, {DISTURBED_TIMEOUT_S + for_s:g} s after `{how}`; "
            f"{why}see `xmpplab logs {name}`"
        )


def _node(folder: LabFolder, name: str) -> NodeState:
    nodes = of(folder).status(folder)
    found = next((node for node in nodes if node.name == name), None)
    if found is None:
        raise BadInput(f"no node {name!r} in this lab (nodes: {', '.join(node.name for node in nodes)})")
    return found
