"""What `up` writes to Redis before the servers start, as commands for any client."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.redisio.keys import Keys
from cluster.router.settings import FaultSettings, merged
from cluster.topology.plan import Plan


def announcement(plan: Plan, now_s: float) -> list[tuple[str, ...]]:
    """The domains of the lab, and the faults of its links, in place of the previous ones.

    Servers answer a stanza for any other domain with remote-server-not-found. The times of the faults count from
    `now_s`.
    """
    keys = Keys.of_lab(plan.name)
    domains = list(dict.fromkeys(server.domain for server in plan.ours))
    commands: list[tuple[str, ...]] = [("DEL", keys.domains), *([("SADD", keys.domains, *domains)] if domains else [])]
    commands += [("DEL", key) for domain in domains for key in (keys.faults(domain), keys.lost(domain))]
    for link in plan.links:
        commands.append(("HSET", keys.faults(link.to), link.from_, encoded(plan, merged({}, link.faults, now_s))))
    return commands


def encoded(plan: Plan, faults: dict[str, Any]) -> str:
    """The faults of one link, in the form for its readers."""
    return msgspec.json.encode(FaultSettings(str(plan.fault_seed), faults)).decode()
