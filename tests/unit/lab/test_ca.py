"""Certificates are checked by OpenSSL, as clients do it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster.lab.provision import ca
from cluster.lab.provision.ca import Issued, issue

NOW = datetime.now(UTC).replace(microsecond=0)  # OpenSSL has no other clock than the machine's
DAY = timedelta(days=1)
HOST = "127.16.0.1"


def handshake(tmp_path: Path, authority: bytes, server: Issued, name: str) -> None:
    """A TLS handshake in memory; raises ssl.SSLCertVerificationError as a client would."""
    (tmp_path / "server.pem").write_bytes(server.certificate)
    (tmp_path / "server.key").write_bytes(server.key)
    receiving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    receiving.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    initiating = ssl.create_default_context(cadata=authority.decode())
    initiating.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        initiating.wrap_bio(down, up, server_hostname=name),
        receiving.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(3):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert sides[0].version() == "TLSv1.3"


@pytest.mark.parametrize("name", ["montague.lit", "conference.montague.lit", HOST])
def test_clients_accept_the_domain_and_its_components_and_the_address(tmp_path: Path, name: str) -> None:
    authority, servers = issue(NOW, "verona", {"s1": (["montague.lit", "conference.montague.lit"], HOST)})
    handshake(tmp_path, authority, servers["s1"], name)


@pytest.mark.parametrize("name", ["capulet.lit", "chat.montague.lit"])
def test_clients_refuse_another_domain_also_one_below(tmp_path: Path, name: str) -> None:
    authority, servers = issue(NOW, "verona", {"s1": (["montague.lit"], HOST)})
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, authority, servers["s1"], name)


def test_clients_refuse_another_labs_authority(tmp_path: Path) -> None:
    _, servers = issue(NOW, "verona", {"s1": (["montague.lit"], HOST)})
    other, _ = issue(NOW, "verona", {})
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, other, servers["s1"], "montague.lit")


def test_an_international_domain_stands_as_its_a_labels(tmp_path: Path) -> None:
    # RFC 6120 section 13.7.2.1 by way of RFC 6125 section 6.4.2
    authority, servers = issue(NOW, "verona", {"s1": (["straße.lit"], HOST)})
    handshake(tmp_path, authority, servers["s1"], "xn--strae-oqa.lit")


def test_a_domain_longer_than_a_common_name(tmp_path: Path) -> None:
    domain = f"{'a' * 60}.{'b' * 60}.lit"
    authority, servers = issue(NOW, "verona", {"s1": ([domain], HOST)})
    handshake(tmp_path, authority, servers["s1"], domain)


@pytest.mark.parametrize(
    ("later", "domain", "host", "good"),
    [
        (timedelta(0), "montague.lit", HOST, True),
        (ca.VALIDITY - DAY, "montague.lit", HOST, True),
        (ca.VALIDITY, "montague.lit", HOST, False),
        (-2 * ca.SKEW, "montague.lit", HOST, False),
        (timedelta(0), "capulet.lit", HOST, False),
        (timedelta(0), "montague.lit", "127.16.0.2", False),
    ],
)
def test_is_good_in_time_and_for_its_names(later: timedelta, domain: str, host: str, good: bool) -> None:
    authority, servers = issue(NOW, "verona", {"s1": (["montague.lit"], HOST)})
    assert ca.is_good(NOW + later, authority, servers["s1"].certificate, [domain], host) is good


def test_is_good_only_for_its_authority() -> None:
    _, servers = issue(NOW, "verona", {"s1": (["montague.lit"], HOST)})
    other, _ = issue(NOW, "verona", {})
    assert not ca.is_good(NOW, other, servers["s1"].certificate, ["montague.lit"], HOST)
    assert not ca.is_good(NOW, b"no PEM", servers["s1"].certificate, ["montague.lit"], HOST)


@pytest.mark.parametrize("flaw", ca.FLAWS)
def test_a_flaw_is_one(tmp_path: Path, flaw: str) -> None:
    """To a client; one that is for servers only has none for it."""
    authority, servers = issue(NOW, "verona", {flaw: (["montague.lit"], HOST)})
    if flaw in ca.DEBATABLE:
        handshake(tmp_path, authority, servers[flaw], "montague.lit")
        return
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, authority, servers[flaw], "montague.lit")
