"""Which servers of a lab run in one process."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from cluster.topology.plan import Plan, ServerNode, XmpplabServer

FEW = 16
"""So many servers have a process each where nothing says otherwise. Above it, a lab has as many as the machine has
cores: more would share the same cores, and each would take memory of its own."""


def usual(servers: int, cores: int) -> int:
    """The number of processes for so many servers, in the form of `shared`."""
    return 0 if servers <= FEW else cores


def shared(plan: Plan, processes: int) -> Plan:
    """The plan whose servers of our own kind run in so many processes; 0: each in one of its own.

    Servers with `isolate`, further nodes of a domain, and all other nodes have a process of their own in any case.
    """
    candidates = [server.name for server in plan.ours if not (server.isolate or server.node_of)]
    hosts = candidates[: processes or len(candidates)]
    at = {name: hosts[number % len(hosts)] for number, name in enumerate(candidates)}

    def placed(server: ServerNode) -> ServerNode:
        if not isinstance(server, XmpplabServer):
            return server
        host = at.get(server.name, server.name)
        return msgspec.structs.replace(server, shares="" if host == server.name else host)

    servers = tuple(map(placed, plan.servers))
    return msgspec.structs.replace(plan, servers=servers, processes=processes)


def apart(plan: Plan, names: Collection[str]) -> Plan:
    """The plan in which each of these nodes has a process of its own."""
    if all(plan.process_of(name) == (name,) for name in names):
        return plan
    servers = tuple(
        msgspec.structs.replace(server, isolate=True)
        if isinstance(server, XmpplabServer) and server.name in names
        else server
        for server in plan.servers
    )
    return shared(msgspec.structs.replace(plan, servers=servers), plan.processes)
