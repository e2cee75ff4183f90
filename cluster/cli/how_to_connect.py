"""What to type into a client, printed by `up` and `ps`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cluster.trace.terminal import safe_line

if TYPE_CHECKING:
    from cluster.lab.api import Lab

MOST_ACCOUNTS = 8
"""Accounts that are shown of a lab, and users of its foreign networks; the others are counted."""


def print_how_to_connect(lab: Lab) -> None:
    """Accounts with their passwords, the servers' addresses, and the certificate to trust."""
    accounts = lab.accounts()
    if accounts:
        print("\nto connect (account, password, server):")
        width = max(len(jid) for jid, _, _ in accounts[:MOST_ACCOUNTS])
        for jid, password, server in accounts[:MOST_ACCOUNTS]:
            known = "(not in the topology)" if password is None else password
            print(f"  {jid.ljust(width)}  {safe_line(known)}  {server.c2s}")
        if len(accounts) > MOST_ACCOUNTS:
            print(f"  and {len(accounts) - MOST_ACCOUNTS} more (`xmpplab user ls`)")
    _print_behind_gateways(lab)
    _print_services(lab)
    for each in lab.plan.servers:
        if not each.is_started:
            print(f"\nstart {each.name} yourself, for {', '.join(each.domains)}:")
            print(f"  listen at {each.host}, ports {', '.join(map(str, each.ports))}")
            print(f"  certificate {_short(lab.folder.certificate(each.name))}, key {_short(lab.folder.key(each.name))}")
    if lab.plan.name_server is not None:
        host, port = lab.plan.name_server
        at = host if port == 53 else f"{host} -p {port}"
        print(f"\nnames of the lab are in its DNS:\n  dig @{at} SRV _xmpp-client._tcp.{lab.plan.servers[0].domain}")
    if any(server.tls != "off" for server in lab.plan.servers):
        print(f"\nclients must trust the CA of the certificates:\n  {_short(lab.ca_file)}")


def _print_behind_gateways(lab: Lab) -> None:
    rows = [(str(each.jid), f"xmpplab {each.command} {each.name}") for each in lab.correspondents() if each.command]
    if rows:
        print("\nusers of the foreign networks, and the command to act as each:")
        width = max(len(jid) for jid, _ in rows[:MOST_ACCOUNTS])
        for jid, how in rows[:MOST_ACCOUNTS]:
            print(f"  {jid.ljust(width)}  {how}")
        if len(rows) > MOST_ACCOUNTS:
            print(f"  and {len(rows) - MOST_ACCOUNTS} more")


def _print_services(lab: Lab) -> None:
    found = [each for server in lab.plan.servers for each in server.services]
    if found:
        print("\nservices:")
        width = max(len(each.domain) for each in found)
        for each in found:
            names = ", ".join([*each.settings.get("rooms", {})][:MOST_ACCOUNTS])
            print(f"  {each.domain.ljust(width)}  {each.kind}{': ' if names else ''}{names}")


def _short(path: os.PathLike[str]) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
