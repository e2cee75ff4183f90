"""The domains that a server's certificate is valid for: RFC 6120 section 13.7.1.2, RFC 6125, RFC 9525."""

from __future__ import annotations

import pytest

from cluster.xmpp.streams.servers.certificate import PeerCertificate
from tests.unit.xmpp.server_streams import (
    MONTAGUE,
)


@pytest.mark.parametrize(
    "certificate",
    [
        PeerCertificate(dns=("Montague.LIT",)),
        PeerCertificate(srv=("_xmpp-server.montague.lit",)),
        PeerCertificate(xmpp=("montague.lit",)),
        PeerCertificate(dns=("other.lit", "montague.lit")),
    ],
)
def test_a_certificate_that_names_the_domain_speaks_for_it(certificate: PeerCertificate) -> None:
    assert certificate.why_not(MONTAGUE) == ""


@pytest.mark.parametrize(
    ("certificate", "domain"),
    [
        (PeerCertificate(dns=("*.montague.lit",)), "montague.lit"),
        (PeerCertificate(dns=("*.montague.lit",)), "a.b.montague.lit"),
        (PeerCertificate(dns=("m*.lit",)), "montague.lit"),
        (PeerCertificate(dns=("*.lit",)), "montague.lit"),
        (PeerCertificate(dns=("*",)), "montague.lit"),
        (PeerCertificate(dns=("montague.lit.evil.lit", "xmontague.lit", "rooms.montague.lit")), "montague.lit"),
        (PeerCertificate(srv=("_xmpp-client.montague.lit", "_xmpp-server.*.lit", "montague.lit")), "montague.lit"),
        (PeerCertificate(xmpp=("romeo@montague.lit",)), "montague.lit"),
        (PeerCertificate(), "montague.lit"),  # a common name is no identity
        (PeerCertificate(dns=("montague.lit",), problem="self-signed certificate"), "montague.lit"),
    ],
)
def test_no_other_certificate_does(certificate: PeerCertificate, domain: str) -> None:
    assert certificate.why_not(domain)


def test_a_wildcard_stands_for_one_label_and_names_are_compared_as_a_labels() -> None:
    assert PeerCertificate(dns=("*.montague.lit",)).why_not("rooms.montague.lit") == ""
    assert PeerCertificate(dns=("xn--mnchen-3ya.lit",)).why_not("münchen.lit") == ""
    assert PeerCertificate(xmpp=("münchen.lit",)).why_not("münchen.lit") == ""
