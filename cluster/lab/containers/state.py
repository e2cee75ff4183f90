"""The state of one container, in the words of the lab."""

from __future__ import annotations

import signal
from typing import Any
from urllib.parse import urlsplit

from cluster.lab.containers.files import REDIS
from cluster.lab.control.readiness import ReadinessProbe, answers, redis_question, server_question, status_question
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.state import NodeKind, NodeState, State
from cluster.topology.plan import Plan

PATIENCE_S = 0.5
"""A node that does not answer within this is shown as starting."""

_STATES: dict[str, State] = {"running": "running", "paused": "paused", "restarting": "restarting"}

_SHELL_SIGNAL = 128
"""An exit code above it is a signal's number added to it."""


def question(folder: LabFolder, plan: Plan, node: str) -> ReadinessProbe:
    """The question for a node at its published address."""
    server = plan.server(node)
    if server is not None:
        return server_question(server)
    url = folder.secrets()[ADMIN]
    lower = next((each for each in plan.lower_half if each.name == node), None)
    if lower is not None:
        return status_question(url, plan, lower.speaks_for)
    parts = urlsplit(url)
    return redis_question((parts.hostname or "", parts.port or 0), url)


def node_state(folder: LabFolder, plan: Plan, container: Any, ends: dict[str, int]) -> NodeState:
    """The state of a container; `ends` are the exit codes of those that died."""
    node = container.labels["xmpplab.node"]
    told = container.attrs["State"]
    state = _STATES.get(container.status, "stopped")
    if state == "running" and not answers(question(folder, plan, node), PATIENCE_S):
        state = "starting"
    return NodeState(
        node,
        _kind(plan, node),
        pid=told["Pid"] or None,
        state=state,
        restarts=container.attrs["RestartCount"],
        started_utc=told["StartedAt"],
        last_exit=_how(ends[node]) if node in ends else "",
    )


def _kind(plan: Plan, node: str) -> NodeKind:
    if node == REDIS:
        return "redis"
    return next((each.kind for each in plan.lower_half if each.name == node), "server")


def _how(exit_code: int) -> str:
    if exit_code > _SHELL_SIGNAL:
        return f"signal {signal.Signals(exit_code - _SHELL_SIGNAL).name}"
    return f"exit code {exit_code}"
