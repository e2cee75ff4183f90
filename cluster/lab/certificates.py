"""The certificates of one lab, as files: kept from one run to the next as long as they are good."""

from __future__ import annotations

from datetime import datetime

from cluster.lab import ca
from cluster.lab.folder import LabFolder, write_private
from cluster.topology.plan import Plan


def certify(folder: LabFolder, plan: Plan, now_utc: datetime) -> None:
    """See to it that every server has a good certificate of the lab's CA: clients were told to trust that one file."""
    domains = {server.server: server.domain for server in plan.servers}  # the nodes of a server have one in common
    if all(_is_good(folder, server, domain, now_utc) for server, domain in domains.items()):
        return
    authority, issued = ca.issue(now_utc, plan.name, domains)
    write_private(folder.ca_file, authority)
    for server, one in issued.items():
        write_private(folder.certificate(server), one.certificate)
        write_private(folder.key(server), one.key)


def _is_good(folder: LabFolder, server: str, domain: str, now_utc: datetime) -> bool:
    try:
        authority, certificate = folder.ca_file.read_bytes(), folder.certificate(server).read_bytes()
    except FileNotFoundError:
        return False
    return folder.key(server).exists() and ca.is_good(now_utc, authority, certificate, domain)
