"""The lab's own certificate authority: created for one lab, trusted by clients that get its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.xmpp.streams.servers.certificate import ascii_form

VALIDITY = timedelta(days=397)
"""Apple's clients refuse server certificates that are valid for longer than 398 days."""

FLAWS = (
    "expired",
    "not valid yet",
    "for another name",
    "right in its common name only",
    "self-signed",
    "of another authority",
    "for servers only",
)
"""Nodes of these names get a certificate with that flaw: to see what others make of it."""
DEBATABLE = ("for servers only",)
"""Public authorities issue only such certificates now; some servers take them from one that logs in, some do not."""

SKEW = timedelta(hours=1)
"""A clock that lags by less than this still accepts a new certificate."""


@dataclass(frozen=True)
class Issued:
    """One certificate and its key, PEM."""

    certificate: bytes
    key: bytes


def issue(
    now_utc: datetime, lab: str, servers: Mapping[str, tuple[Sequence[str], str]]
) -> tuple[bytes, dict[str, Issued]]:
    """A new authority's certificate, and one for each of `servers`: by its node's name, its domains and its address.

    The first of the domains is the certificate's name for people. The authority's key is forgotten here: nobody can
    sign more in its name.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"xmpplab CA of {lab}"[:64])])
    usage = _usage(key_cert_sign=True)
    authority = (
        _builder(now_utc, name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, SHA256())
    )
    issued = {node: _server(now_utc, name, key, *named, node) for node, named in servers.items()}
    return authority.public_bytes(Encoding.PEM), issued


def _server(
    now_utc: datetime,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    domains: Sequence[str],
    host: str,
    flaw: str,
) -> Issued:
    """`flaw`: one of FLAWS; any other text: no flaw."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The subject is for people, and cut at X.520's limit; clients look at the others (RFC 6125 section 6.4.4).
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ascii_form(domains[0])[:64])])
    match flaw:
        case "self-signed":
            issuer, issuer_key = subject, key
        case "of another authority":
            issuer_key = ec.generate_private_key(ec.SECP256R1())
        case "expired":
            now_utc -= 2 * VALIDITY
        case "not valid yet":
            now_utc += timedelta(days=2)
        case "for another name":
            domains = ["wrong.invalid"]
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domains[0])])
        case "right in its common name only":  # it does not count beside other names (RFC 6125 section 6.4.4)
            domains = ["wrong.invalid"]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH]
    if flaw != "for servers only":
        purposes.append(ExtendedKeyUsageOID.CLIENT_AUTH)
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    certificate = (
        _builder(now_utc, issuer, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_names(domains, host)), critical=False)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(authority_key, critical=False)
        .sign(issuer_key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Issued(certificate.public_bytes(Encoding.PEM), private)


def _names(domains: Sequence[str], host: str) -> list[x509.GeneralName]:
    """XMPP clients check the domain; a browser, without a DNS entry, checks the address. No wildcard: a subdomain may
    be another server's."""
    return [*(x509.DNSName(ascii_form(domain)) for domain in domains), x509.IPAddress(ip_address(host))]


def _builder(
    now_utc: datetime, issuer: x509.Name, subject: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now_utc - SKEW)
        .not_valid_after(now_utc + VALIDITY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def is_good(now_utc: datetime, ca: bytes, certificate: bytes, domains: Sequence[str], host: str) -> bool:
    """Whether this authority signed the certificate for these domains and address, and both are valid for another
    day."""
    try:
        authority = x509.load_pem_x509_certificate(ca)
        server = x509.load_pem_x509_certificate(certificate)
        server.verify_directly_issued_by(authority)
        names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    begin = max(authority.not_valid_before_utc, server.not_valid_before_utc)
    end = min(authority.not_valid_after_utc, server.not_valid_after_utc)
    return list(names) == _names(domains, host) and begin <= now_utc <= end - timedelta(days=1)
