"""The accounts of a lab that runs: as its servers know them, with the passwords that the topology tells."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from cluster.lab.control.ask import ask
from cluster.lab.control.requests import UserLs
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder
from cluster.topology.plan import Plan, ServerNode, XmpplabServer

PATIENCE_S = 1.0
"""A server that does not answer for so long is believed to have the accounts of the topology, as is one that is not
ours."""


class KnownAccount(NamedTuple):
    """Whom one can log in as."""

    jid: str
    password: str | None
    """None where somebody else chose it."""
    server: ServerNode


def known_accounts(folder: LabFolder, plan: Plan) -> list[KnownAccount]:
    """Those of each domain, in the order of the topology; then those that were added, by name."""
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
