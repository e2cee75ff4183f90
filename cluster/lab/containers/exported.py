"""A lab that was exported, and runs on other machines: its nodes are asked through their Redis, whatever runs them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from cluster.base.request import Status
from cluster.lab.containers.compose import GRACE_S
from cluster.lab.containers.engine import connected
from cluster.lab.containers.k8s.base import namespace
from cluster.lab.containers.k8s.labels import INSTANCE
from cluster.lab.control.ask import ask_all
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder, Orchestrator
from cluster.lab.progress import Tell
from cluster.lab.provision.removal import remove
from cluster.lab.state import NodeAction, NodeState
from cluster.lab.wait import wait_until
from cluster.topology.plan import LabNode, Plan, ServerNode

PATIENCE_S, PATIENCE_PER_NODE_S = 1.0, 0.005
"""A node that does not answer by then is shown as stopped."""

_STACK = "com.docker.stack.namespace"
"""Label that `docker stack deploy` puts on all that it creates."""

_DEPLOY: dict[Orchestrator, str] = {
    "swarm": "docker stack deploy -c {folder}/stack.yml {lab}",
    "k8s": "kubectl apply -k {folder}",
}
_REMOVE: dict[Orchestrator, str] = {"swarm": "docker stack rm {lab}", "k8s": "kubectl delete namespace {namespace}"}
_LOGS: dict[Orchestrator, str] = {
    "swarm": "docker service logs {lab}_{node}",
    "k8s": f"kubectl -n {{namespace}} logs -l {INSTANCE}={{node}}",
}
_RESTART: dict[Orchestrator, str] = {
    "swarm": "docker service update --force {lab}_{node}",
    "k8s": "kubectl -n {namespace} rollout restart statefulset/{node}",
}


class ExportedDriver:
    """The lab of this folder on an engine; see `Driver`. What it does not do, it says the engine's command for."""

    def __init__(self, folder: LabFolder, orchestrator: Orchestrator) -> None:
        self._folder = folder
        self._orchestrator = orchestrator

    def up(self, plans: Sequence[Plan], tell: Tell, owner: int | None = None) -> NoReturn:
        """Refused: the engine brings it up."""
        raise LabError(f"{self._folder.path} is an export; {self._told(_DEPLOY)}")

    def down(self, *, keep: bool) -> bool:
        """Remove the stack, if this machine manages the swarm; then the lab's users from Redis, and the folder. False
        if nothing was running. Raises LabError while nodes answer, with the command that ends them."""
        ran = self.is_up()
        if ran and self._orchestrator == "swarm":
            with suppress(LabError), connected(self._folder) as engine:  # else the answers of its nodes tell
                _remove_stack(engine.client, self._folder.plan().name)
                wait_until(lambda: not self.is_up(), 2 * GRACE_S)
        if ran and self.is_up():
            raise LabError(f"nodes of lab {self._folder.plan().name} answer; {self._told(_REMOVE)}, then `down` again")
        remove(self._folder, keep=keep)
        return ran

    def status(self) -> list[NodeState]:
        """The nodes; their Redis is not the lab's."""
        plan = self._folder.plan()
        nodes: list[LabNode] = [*plan.ours, *plan.lower_half]
        patience_s = PATIENCE_S + PATIENCE_PER_NODE_S * len(nodes)
        found = ask_all(self._folder, plan, nodes, Status(), patience_s)
        return [_state(node, found.get(node.name)) for node in nodes]

    def is_up(self) -> bool:
        """Whether a node answers."""
        return any(node.state != "stopped" for node in self.status())

    def story(self, node: str | None) -> NoReturn:
        """Refused: the engine has the logs."""
        raise LabError(f"the logs of an exported lab are with its engine; {self._told(_LOGS, node or 's1')}")

    def apply(self, plan: Plan) -> NoReturn:
        """Refused: the engine starts and ends nodes."""
        raise LabError(
            f"an exported lab changes with its topology: change `nodes` there, export it to {self._folder.path} again; "
            f"{self._told(_DEPLOY)}"
        )

    def act(self, node: NodeState, action: NodeAction, for_s: float) -> NoReturn:
        """Refused: the engine does it."""
        raise LabError(f"{node.name} is not a process of this machine; {self._told(_RESTART, node.name)}")

    def _told(self, commands: dict[Orchestrator, str], node: str = "") -> str:
        return f"run `{_command(commands, self._folder, self._orchestrator, node)}`"


def deploy_command(folder: LabFolder, orchestrator: Orchestrator) -> str:
    """The command that brings up the lab of this folder."""
    return _command(_DEPLOY, folder, orchestrator)


def _command(commands: dict[Orchestrator, str], folder: LabFolder, orchestrator: Orchestrator, node: str = "") -> str:
    plan = folder.plan()
    part = next((each.server for each in plan.servers if each.name == node), node)
    return commands[orchestrator].format(
        lab=plan.name, namespace=namespace(plan.name), folder=folder.path,
        node=part if orchestrator == "k8s" else node,
    )  # fmt: skip


def _state(node: LabNode, status: dict[str, Any] | None) -> NodeState:
    kind = "server" if isinstance(node, ServerNode) else node.kind
    if status is None:
        return NodeState(node.name, kind)
    return NodeState(node.name, kind, state="running" if status["ready"] else "starting")


def _remove_stack(client: Any, name: str) -> None:
    """What `docker stack rm` does. Raises what the SDK raises, where this engine manages no swarm."""
    mine = {"label": f"{_STACK}={name}"}
    for several in (client.services, client.secrets, client.networks):
        for each in several.list(filters=mine):
            each.remove()
