"""TLS for the ports of a server, with the choice of the protocol above it (ALPN, RFC 7301; XEP-0368)."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes as Key
from OpenSSL import SSL
from twisted.internet.ssl import CertificateOptions, TLSVersion

XMPP = b"xmpp-client"
XMPP_SERVER = b"xmpp-server"
"""XEP-0368 section 3."""
HTTP = b"http/1.1"


class NoCommonProtocol(SSL.Error):
    """The client offers protocols, but not this one."""


def offer(key: Key, certificate: x509.Certificate, protocol: bytes, *, must_agree: bool) -> CertificateOptions:
    """TLS 1.2 and later, with this certificate.

    `must_agree`: a client that offers only other protocols gets the alert no_application_protocol (RFC 7301 section
    3.2). Otherwise it is served all the same: on a port with STARTTLS the protocol is known already.
    """

    def select(connection: SSL.Connection, offered: list[bytes]) -> Any:
        if protocol in offered:
            return protocol
        if must_agree:
            raise NoCommonProtocol([("", "", f"not offered: {protocol.decode()}")])  # pyOpenSSL sends the alert
        return SSL.NO_OVERLAPPING_PROTOCOLS

    # Twisted names the types of pyOpenSSL, which has deprecated them
    options = CertificateOptions(key, certificate, raiseMinimumTo=TLSVersion.TLSv1_2)  # type: ignore[arg-type]
    # instead of Twisted's own choice, which answers with an empty protocol if none is common: an internal_error
    options.getContext().set_alpn_select_callback(select)
    return options
