"""Whether this system lets the processes of a lab have as many open files as their servers need."""

from __future__ import annotations

import resource
from collections import Counter

from cluster.lab.errors import LabError
from cluster.topology.plan import Plan

REDIS_CONNECTIONS = 2
"""Of a server: for commands, and for subscriptions."""
OTHERS = 64
"""Of a process: its reactor, its log, the port of its metrics, requests for a moment, and the first clients."""
_OF_A_PART = 4
"""In the supervisor: the standard streams of a process, and a readiness probe."""


def needed(plan: Plan) -> dict[str, int]:
    """How many each process opens before the first client comes, by the name of its first node."""
    found = Counter[str]()
    for server in plan.ours:
        found[server.shares or server.name] += len(server.ports) + REDIS_CONNECTIONS
    logs = len(plan.started) + len(plan.lower_half)
    found["the supervisor"] = logs + _OF_A_PART * (len(found) + logs - len(plan.ours))
    if not plan.redis_url:
        found["redis"] = REDIS_CONNECTIONS * len(plan.ours) + len(plan.lower_half)
    return {name: count + OTHERS for name, count in found.items()}


def check_open_files(plan: Plan) -> None:
    """Raises LabError if a process would need more than the system allows."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    name, most = max(needed(plan).items(), key=lambda each: each[1])
    if resource.RLIM_INFINITY != limit < most:
        more = "" if name in ("redis", "the supervisor") else ", or let fewer servers share a process (`--processes`)"
        raise LabError(
            f"{name} would need {most} open files without a client, and this system allows a process {limit}; "
            f"raise that (`ulimit -Hn`, in /etc/security/limits.conf){more}"
        )
