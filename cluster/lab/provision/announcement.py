"""What is written down in Redis when a lab comes up, before its servers start: as commands, whoever gives them."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.redisio.keys import Keys
from cluster.router.settings import FaultSettings, merged
from cluster.topology.plan import Plan


def announcement(plan: Plan, now_s: float) -> list[tuple[str, ...]]:
    """The domains that the lab serves, and the faults of its links, in the place of those before.

    A stanza for any other domain is answered with remote-server-not-found. The times of the faults begin at `now_s`.
    """
    keys = Keys.of_lab(plan.name)
    domains = list(dict.fromkeys(server.domain for server in plan.ours))
    commands: list[tuple[str, ...]] = [("DEL", keys.domains), *([("SADD", keys.domains, *domains)] if domains else [])]
    commands += [("DEL", key) for domain in domains for key in (keys.faults(domain), keys.lost(domain))]
    for link in plan.links:
        commands.append(("HSET", keys.faults(link.to), link.from_, encoded(plan, merged({}, link.faults, now_s))))
    return commands


def encoded(plan: Plan, faults: dict[str, Any]) -> str:
    """The faults of one link, as its readers take them."""
    return msgspec.json.encode(FaultSettings(str(plan.fault_seed), faults)).decode()
