"""Accounts of a test."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from cluster.lab.api import BadInput, Lab


@dataclass(frozen=True)
class Account:
    """An account, and what a client needs to log in."""

    jid: str
    """Bare."""
    password: str
    host: str
    """Of its server: an address, since the domain is not in the DNS."""
    port: int
    """For STARTTLS."""
    ca_file: Path
    """The lab's CA, PEM."""

    def __str__(self) -> str:
        return self.jid


def create(lab: Lab, domain: str, name: str) -> Account:
    """Create an account. Raises BadInput if no server of the lab serves the domain."""
    plan = lab.plan
    server = plan.server(domain) if domain else plan.servers[0]
    if server is None:
        known = ", ".join(dict.fromkeys(each.domain for each in plan.servers))
        raise BadInput(f"no server of this lab serves {domain!r} (domains: {known})")
    password = secrets.token_hex(8)
    jid = lab.users.add(f"{name}@{server.domain}", password)
    return Account(str(jid), password, server.host, server.c2s_port, lab.ca_file)


def remove(lab: Lab, account: Account) -> None:
    """Remove an account and all its data, unless the test has done so."""
    domain = account.jid.partition("@")[2]
    if account.jid in {each.jid for each in lab.users.ls(domain)}:
        lab.users.delete(account.jid)
