"""The parts of a lab as the map draws them."""

from __future__ import annotations

from typing import Any

from cluster.lab.api import BadInput, Lab, link_faults

MOST_NAMES = 6
"""Accounts, or users of a network, that the map shows of one place; the others are counted."""


def structure(lab: Lab) -> dict[str, Any]:
    """The domains with their nodes, the gateways, the foreign networks with their users, and the faults of links."""
    plan = lab.plan
    firsts = [server for server in plan.servers if not server.node_of]
    return {
        "domains": [
            {
                "server": server.name,
                "domain": server.domain,
                "kind": server.kind,
                "nodes": [node.name for node in plan.nodes_of(server.name)],
                "accounts": [account.localpart for account in server.accounts[:MOST_NAMES]],
                "more": max(0, len(server.accounts) - MOST_NAMES),
                "services": [[service.domain, service.kind] for service in server.services],
                "peers": None if server.peers is None else list(server.peers),
            }
            for server in firsts
        ],
        "gateways": [
            {
                "name": each.name,
                "kind": each.kind,
                "domain": each.domain,
                "server": each.server,
                "network": each.network,
            }
            for each in plan.gateways
        ],
        "networks": [
            {
                "name": each.name,
                "kind": each.kind,
                "external": each.is_external,
                "people": dict(list(each.people.items())[:MOST_NAMES]),
                "more": max(0, len(each.people) - MOST_NAMES),
            }
            for each in plan.networks
        ],
        "faults": link_faults(),
        "demonstration": _first_pair(lab),
    }


def _first_pair(lab: Lab) -> list[str]:
    """Two accounts to show first; none if no account has a contact in another domain."""
    try:
        from_, to = lab.demonstration()[0]
    except BadInput:
        return []
    return [str(from_), str(to)]
