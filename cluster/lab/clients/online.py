"""Who is online in a lab: the clients of its servers, the people of its foreign networks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from cluster.base.request import Status
from cluster.lab.control.ask import ask_all
from cluster.lab.control.requests import SessionLs
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.lab.state import NodeState
from cluster.topology.plan import Plan

PATIENCE_S = 0.5
"""A node that does not answer within this is left out."""


def online(folder: LabFolder, plan: Plan, nodes: Sequence[NodeState]) -> dict[str, list[str]]:
    """By the node, of these ones: the full JIDs of a server's clients, the names of a network's people.

    Servers of other kinds are left out, and nodes that do not answer at once; empty if Redis does not answer.
    """
    running = {node.name for node in nodes if node.state == "running"}
    servers = [server for server in plan.ours if server.name in running]
    networks = [network for network in plan.networks if network.name in running and not network.is_external]
    found: dict[str, list[str]] = {}
    with suppress(LabError):
        for node, sessions in ask_all(folder, plan, servers, SessionLs(), PATIENCE_S).items():
            found[node] = [session["jid"] for session in sessions]
        states = ask_all(folder, plan, networks, Status(), PATIENCE_S)
        for network in networks:
            if network.name in states:
                off = states[network.name].get("off", ())
                found[network.name] = [name for name in network.people if name not in off]
    return found
