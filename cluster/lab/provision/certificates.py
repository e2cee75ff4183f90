"""The certificates of one lab, as files: kept from one run to the next as long as they are valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509

from cluster.lab.answers import CertificateView
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
    issue(folder, plan, now_utc, named)


def issue(folder: LabFolder, plan: Plan, now_utc: datetime, named: Mapping[str, tuple[Sequence[str], str]]) -> None:
    """Write certificates of a new CA, each with its key. `named`: domains and host of each, by name (`ca.issue`)."""
    authority, issued = ca.issue(now_utc, plan.name, named)
    write_private(folder.ca_file, authority, PUBLIC)
    for name, one in issued.items():
        write_private(folder.certificate(name), one.certificate)
        write_private(folder.key(name), one.key)


def views(folder: LabFolder, plan: Plan) -> list[CertificateView]:
    """The certificates as they are on disk, the CA's first; none of a lab without TLS. Raises OSError."""
    firsts = [server for server in plan.servers if not server.node_of and server.tls != "off"]
    files = [("ca", folder.ca_file), *((server.name, folder.certificate(server.name)) for server in firsts)]
    return [_view(name, path) for name, path in files] if firsts else []


def _view(name: str, path: Path) -> CertificateView:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    domains: list[str] = []
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            domains = extension.value.get_values_for_type(x509.DNSName)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return CertificateView(name, domains, begin.isoformat(), end.isoformat(), str(path))


def _is_good(folder: LabFolder, server: ServerNode, now_utc: datetime) -> bool:
    try:
        authority, certificate = folder.ca_file.read_bytes(), folder.certificate(server.name).read_bytes()
    except FileNotFoundError:
        return False
    is_good = ca.is_good(now_utc, authority, certificate, server.domains, server.host)
    return is_good and folder.key(server.name).exists()
