"""What to type into a client, printed by `up` and `ps`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.lab.folder import LabFolder
    from cluster.topology.plan import Plan

MOST_ACCOUNTS = 8
"""Shown of a lab; the others are counted."""


def print_how_to_connect(folder: LabFolder, plan: Plan) -> None:
    """Accounts with their passwords, the servers' addresses, and the certificate to trust."""
    accounts = [
        (f"{account.localpart}@{server.domain}", account.password, server)
        for server in plan.servers
        for account in server.accounts
    ]
    if accounts:
        print("\nto connect:")
        width = max(len(jid) for jid, _, _ in accounts[:MOST_ACCOUNTS])
        for jid, password, server in accounts[:MOST_ACCOUNTS]:
            print(f"  {jid.ljust(width)}  password {password}  server {server.host}  port {server.c2s_port}")
        if len(accounts) > MOST_ACCOUNTS:
            print(f"  and {len(accounts) - MOST_ACCOUNTS} more (`xmpplab user ls`)")
    if any(server.tls != "off" for server in plan.servers):
        print(f"\ncertificates are signed by this CA, which the client has to trust:\n  {_short(folder.ca_file)}")


def _short(path: os.PathLike[str]) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
