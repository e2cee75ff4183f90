"""The accounts of a running lab: those of its servers, with the passwords of the topology."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from cluster.lab.control.ask import ask
from cluster.lab.control.requests import UserLs
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan, ServerNode, XmpplabServer

PATIENCE_S = 1.0
"""A server that does not answer within this is assumed to have the accounts of the topology, as is a foreign server."""


class KnownAccount(NamedTuple):
    """An account to log in as."""

    jid: str
    password: str | None
    """None if it is not that of the topology."""
    server: ServerNode


def known_accounts(folder: LabFolder, plan: Plan) -> list[KnownAccount]:
    """The accounts of each domain, in the order of the topology; then those that were added, by name."""
    found = []
    for server in plan.servers:
        if server.node_of:
            continue
        passwords = {seed.localpart: seed.password for seed in server.accounts}
        names = set(passwords)
        if isinstance(server, XmpplabServer):
            with suppress(LabError):
                names = set(ask(folder, plan, server, UserLs(), PATIENCE_S))
        for name in [*(each for each in passwords if each in names), *sorted(names - passwords.keys())]:
            found.append(KnownAccount(f"{name}@{server.domain}", passwords.get(name), server))
    return found
