"""Certificates of other servers, good and bad, and two authorities that sign them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

SRV_NAME, XMPP_ADDR = ObjectIdentifier("1.3.6.1.5.5.7.8.7"), ObjectIdentifier("1.3.6.1.5.5.7.8.5")
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
NOW = datetime.now(UTC)


def srv(name: str) -> x509.OtherName:
    """id-on-dnsSRV (RFC 4985), an IA5String."""
    return x509.OtherName(SRV_NAME, bytes([0x16, len(name)]) + name.encode())


def xmpp(name: str) -> x509.OtherName:
    """id-on-xmppAddr (RFC 6120 section 13.7.1.4), a UTF8String."""
    return x509.OtherName(XMPP_ADDR, bytes([0x0C, len(name.encode())]) + name.encode())


class Authority:
    """Signs certificates."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            self._builder(self._name, self._key.public_key(), NOW - timedelta(days=2), NOW + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, SHA256())
        )

    def issue(
        self,
        names: Sequence[x509.GeneralName] | bytes,
        common_name: str = "a server",
        usages: Sequence[ObjectIdentifier] = BOTH,
        valid_days: tuple[float, float] = (-1, 10),
        self_signed: bool = False,
    ) -> Certified:
        """`names`: the names, or the DER of the whole extension. `valid_days`: the first and the last day, from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        since, until = (NOW + timedelta(days=days) for days in valid_days)
        builder = self._builder(subject, key.public_key(), since, until, subject if self_signed else self._name)
        if isinstance(names, bytes):
            raw = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names)
            builder = builder.add_extension(raw, critical=False)
        elif names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return Certified(key, builder.sign(key if self_signed else self._key, SHA256()))

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        since: datetime,
        until: datetime,
        issuer: x509.Name | None = None,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .issuer_name(issuer or self._name)
            .subject_name(subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
        )


class Certified:
    """A key and its certificate."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate

    @property
    def pem(self) -> bytes:
        """Both in one PEM file."""
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private + self.certificate.public_bytes(Encoding.PEM)
