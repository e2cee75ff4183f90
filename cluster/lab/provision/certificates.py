"""The certificates of one lab, as files: kept from one run to the next as long as they are valid."""

from __future__ import annotations

from datetime import datetime

from cluster.lab.folder import LabFolder
from cluster.lab.private import write_private
from cluster.lab.provision import ca
from cluster.topology.plan import Plan, ServerNode

PUBLIC = 0o644
"""Mode of the CA's certificate: the clients of other users may read copies of it."""


def certify(folder: LabFolder, plan: Plan, now_utc: datetime) -> None:
    """Give every server a valid certificate of the lab's CA, whose file clients were told to trust."""
    firsts = [server for server in plan.servers if not server.node_of]  # further nodes have the same certificate
    if all(_is_good(folder, server, now_utc) for server in firsts):
        folder.ca_file.chmod(PUBLIC)
        return
    named = {server.name: (server.domains, server.host) for server in firsts}
    authority, issued = ca.issue(now_utc, plan.name, named)
    write_private(folder.ca_file, authority, PUBLIC)
    for server, one in issued.items():
        write_private(folder.certificate(server), one.certificate)
        write_private(folder.key(server), one.key)


def _is_good(folder: LabFolder, server: ServerNode, now_utc: datetime) -> bool:
    try:
        authority, certificate = folder.ca_file.read_bytes(), folder.certificate(server.name).read_bytes()
    except FileNotFoundError:
        return False
    is_good = ca.is_good(now_utc, authority, certificate, server.domains, server.host)
    return is_good and folder.key(server.name).exists()
