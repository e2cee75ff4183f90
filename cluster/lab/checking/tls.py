"""TLS of a stranger who trusts the lab's CA, and the contents of a certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cluster.streams.peer_tls import names_of


def trusting(ca_file: Path, own: tuple[Path, Path] | None = None, alpn: str = "") -> ssl.SSLContext:
    """`own`: the certificate and key to present. Names are checked later, so that a wrong one can be reported."""
    context = ssl.create_default_context(cafile=str(ca_file))
    context.check_hostname = False
    if own is not None:
        context.load_cert_chain(*own)
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


def certificate_of(secured: ssl.SSLSocket) -> x509.Certificate:
    """The certificate of the other side."""
    return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")


def described(certificate: x509.Certificate) -> str:
    """Its names, end and purposes."""
    usage = "servers and clients" if may_log_in(certificate) else "servers only"
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    return f"{', '.join(names_of(certificate).dns)}; until {until}; for {usage}"


def why_not(certificate: x509.Certificate, domain: str) -> str:
    """Why it does not prove the domain; empty if it does."""
    return names_of(certificate).why_not(domain)


def may_log_in(certificate: x509.Certificate) -> bool:
    """False if it is for servers only: some servers refuse another one's login with it (SASL EXTERNAL)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage
