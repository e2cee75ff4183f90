"""TLS with a choice of the protocol above it (RFC 7301), with the client that Python has."""

from __future__ import annotations

import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.ssl import CertificateOptions

from cluster.lab.provision import ca
from cluster.streams import tls

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


KeyAndCertificate = tuple[PrivateKeyTypes, x509.Certificate]


@pytest.fixture(scope="module")
def key_and_certificate() -> KeyAndCertificate:
    _, issued = ca.issue(NOW, "lab", {"s1": (["montague.lit"], "127.0.0.1")})
    return load_pem_private_key(issued["s1"].key, None), x509.load_pem_x509_certificate(issued["s1"].certificate)


def selected(options: CertificateOptions, offered: list[str]) -> str | None:
    """What a client that offers these gets; raises its SSLError where it gets an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if offered:
        context.set_alpn_protocols(offered)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = context.wrap_bio(incoming, outgoing), SSL.Connection(options.getContext(), None)
    server.set_accept_state()
    while True:
        try:
            client.do_handshake()
            return client.selected_alpn_protocol()
        except ssl.SSLWantReadError:
            server.bio_write(outgoing.read())
        try:
            server.do_handshake()
        except SSL.WantReadError:
            pass
        except tls.NoCommonProtocol:
            pass
        incoming.write(server.bio_read(65_536))


@pytest.mark.parametrize("must_agree", [True, False])
@pytest.mark.parametrize(
    ("offered", "protocol"), [(["xmpp-client"], "xmpp-client"), (["h2", "xmpp-client"], "xmpp-client"), ([], None)]
)
def test_what_both_speak(
    key_and_certificate: KeyAndCertificate,
    must_agree: bool,
    offered: list[str],
    protocol: str | None,
) -> None:
    options = tls.offer(*key_and_certificate, tls.XMPP, must_agree=must_agree)
    assert selected(options, offered) == protocol


def test_nothing_in_common(key_and_certificate: KeyAndCertificate) -> None:
    """After STARTTLS it is known what is spoken; elsewhere the client is told (RFC 7301 section 3.2)."""
    assert selected(tls.offer(*key_and_certificate, tls.XMPP, must_agree=False), ["h2", "http/1.1"]) is None
    with pytest.raises(ssl.SSLError) as alert:
        selected(tls.offer(*key_and_certificate, tls.XMPP, must_agree=True), ["h2", "http/1.1"])
    assert "alert no application protocol" in str(alert.value)
