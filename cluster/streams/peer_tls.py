"""TLS between servers: each sends its certificate and verifies the other's (RFC 6120 section 13.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes as Key
from cryptography.x509.oid import ObjectIdentifier
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from zope.interface import implementer

from cluster.streams import tls
from cluster.xmpp.streams.servers.certificate import NO_CERTIFICATE, PeerCertificate, ascii_form

_SRV_NAME, _XMPP_ADDR = ObjectIdentifier("1.3.6.1.5.5.7.8.7"), ObjectIdentifier("1.3.6.1.5.5.7.8.5")
_WRONG_PURPOSE = 26
"""X509_V_ERR_INVALID_PURPOSE: a certificate for servers only. Public authorities no longer issue others, so a server
may log in to another one with such a certificate."""
_PROBLEMS = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is signed by itself",
    19: "the certificate is signed by an authority that is not trusted here",
    20: "the certificate is signed by an authority that is not known here",
    21: "the certificate is signed by an authority that is not known here",
    23: "the certificate is revoked",
}
"""Keys are the error codes of OpenSSL (openssl-verification-options(1))."""


class JudgedConnection(SSL.Connection):
    """A TLS connection, and the first problem of its peer's certificate; empty if there is none."""

    problem = ""


def _judge(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, is_good: int) -> bool:
    """Note the first problem. The handshake continues: a peer without a valid certificate may still use dialback."""
    assert isinstance(connection, JudgedConnection)
    if not is_good and error != _WRONG_PURPOSE and not connection.problem:
        connection.problem = _PROBLEMS.get(error, f"the certificate cannot be verified (OpenSSL error {error})")
    return True


class PeerTls:
    """The certificate of a server for those of other domains, and the authorities that it trusts."""

    def __init__(self, key: Key, certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> None:
        self._context: SSL.Context = tls.offer(key, certificate, tls.XMPP_SERVER, must_agree=False).getContext()
        store = self._context.get_cert_store()
        assert store is not None
        for authority in authorities:
            store.add_cert(crypto.X509.from_cryptography(authority))
        self._context.set_verify(SSL.VERIFY_PEER, _judge)
        self.receiving = _Receiving(self._context)
        """For `startTLS` on the receiving side of a stream."""

    def initiating(self, domain: str, *, direct: bool) -> Any:
        """For `startTLS` on the initiating side; the handshake names this domain (SNI, RFC 6066 section 3).

        `direct`: TLS is the first of the connection, and names the protocol too (ALPN, XEP-0368 section 3).
        """
        return _Initiating(self._context, domain, direct)

    def certificate_of(self, connection: JudgedConnection) -> PeerCertificate:
        """The peer's certificate, once the handshake is over."""
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return NO_CERTIFICATE
        return names_of(certificate, connection.problem)


@implementer(IOpenSSLServerConnectionCreator)
class _Receiving:
    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def serverConnectionForTLS(self, protocol: object) -> SSL.Connection:
        """A connection that waits for the handshake."""
        return JudgedConnection(self._context, None)


@implementer(IOpenSSLClientConnectionCreator)
class _Initiating:
    def __init__(self, context: SSL.Context, domain: str, direct: bool) -> None:
        self._context = context
        self._domain = domain
        self._direct = direct

    def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:
        """A connection that starts the handshake, with SNI."""
        connection = JudgedConnection(self._context, None)
        connection.set_tlsext_host_name(ascii_form(self._domain).encode())
        if self._direct:
            connection.set_alpn_protos([tls.XMPP_SERVER])
        return connection


def names_of(certificate: x509.Certificate, problem: str = "") -> PeerCertificate:
    """The identities in a certificate (RFC 6120 section 13.7.1.2)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return PeerCertificate(
            tuple(names.get_values_for_type(x509.DNSName)),
            _others(names, _SRV_NAME),
            _others(names, _XMPP_ADDR),
            problem,
        )
    except x509.ExtensionNotFound:
        return PeerCertificate(problem=problem)
    except Exception as error:  # any: invalid DER, a duplicate extension, an unknown form of name
        return PeerCertificate(problem=problem or f"the certificate cannot be read: {error}")


def _others(names: x509.SubjectAlternativeName, kind: ObjectIdentifier) -> tuple[str, ...]:
    texts = (_text(each.value) for each in names.get_values_for_type(x509.OtherName) if each.type_id == kind)
    return tuple(text for text in texts if text)


def _text(der: bytes) -> str:
    """An IA5String or UTF8String of at most 255 bytes; empty for anything else (X.690 section 8)."""
    if len(der) < 2 or der[0] not in (0x0C, 0x16):
        return ""
    start = 3 if der[1] == 0x81 else 2
    content = der[start:]
    if len(content) != der[start - 1]:
        return ""
    return content.decode(errors="replace")
