"""What strangers do to the port for other servers, over real sockets and real TLS; the sockets are not Twisted's."""

from __future__ import annotations

import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from cluster.router.s2s.incoming import MAX_HALF_OPEN
from cluster.router.s2s.ports import Address
from cluster.xmpp.errors import Condition
from tests.harness import ReactorThread
from tests.ports.worlds import CAPULET, MONTAGUE, text_of
from tests.unit.router.certificates import Certified, srv, xmpp
from tests.unit.router.s2s_sockets import (
    ANSWER,
    AUTH,
    OF_MONTAGUE,
    OTHER,
    STANZA,
    STARTTLS,
    TRUSTED,
    Listener,
    Server,
    Stranger,
    dns,
)
from tests.unit.xmpp.server_streams import HEADER


@pytest.fixture
def server(reactor_thread: ReactorThread) -> Iterator[Server]:
    server = Server(reactor_thread, "required")
    yield server
    server.stop()


def test_whoever_proves_by_a_certificate_to_be_montague_may_speak_for_it(server: Server, tmp_path: Path) -> None:
    stranger = server.stranger()
    assert "EXTERNAL" in stranger.secure(OF_MONTAGUE, tmp_path)
    stranger.say(AUTH, "<success")
    stranger.say(HEADER, "</stream:features>")
    stranger.say(STANZA)
    server.wait(lambda: server.node.delivered)
    assert [text_of(stanza) for stanza in server.node.delivered] == ["hi"]
    stranger.say(STANZA.replace("@montague.lit", "@rooms.montague.lit"), "<invalid-from")


@pytest.mark.parametrize(
    ("certified", "is_montague"),
    [
        (TRUSTED.issue([srv(f"_xmpp-server.{MONTAGUE}")]), True),
        (TRUSTED.issue([xmpp(MONTAGUE)]), True),
        (TRUSTED.issue(dns(MONTAGUE), usages=[ExtendedKeyUsageOID.SERVER_AUTH]), True),
        (TRUSTED.issue(dns("*.lit", "*.montague.lit", "xmontague.lit", "montague.lit.evil.lit")), False),
        (TRUSTED.issue([], common_name=MONTAGUE), False),
        (TRUSTED.issue([srv(f"_xmpp-client.{MONTAGUE}"), xmpp(f"romeo@{MONTAGUE}")]), False),
        (OTHER.issue(dns(MONTAGUE)), False),
        (TRUSTED.issue(dns(MONTAGUE), valid_days=(-2, -1)), False),
        (TRUSTED.issue(dns(MONTAGUE), valid_days=(1, 2)), False),
        (TRUSTED.issue(dns(MONTAGUE), self_signed=True), False),
        (None, False),
    ],
    ids=[
        "SRVName", "XmppAddr", "for servers only", "wildcards and look-alikes", "common name", "of a client",
        "other authority", "expired", "not yet valid", "self-signed", "none",
    ],
)  # fmt: skip
def test_external_is_for_those_whose_certificate_says_so(
    server: Server, tmp_path: Path, certified: Certified | None, is_montague: bool
) -> None:
    stranger = server.stranger()
    assert ("EXTERNAL" in stranger.secure(certified, tmp_path)) is is_montague
    if not is_montague:
        stranger.say(AUTH, "<not-authorized")
        stranger.say(STANZA, "<not-authorized")
        assert server.node.delivered == []


def test_a_certificate_that_cannot_be_read_proves_nothing_and_stops_nothing(server: Server, tmp_path: Path) -> None:
    x400_address = b"\x30\x04\xa3\x02\x05\x00"  # RFC 5280 section 4.2.1.6; nobody uses them
    stranger = server.stranger()
    features = stranger.secure(TRUSTED.issue(x400_address), tmp_path)
    assert "EXTERNAL" not in features
    assert "dialback" in features
    assert "cannot be read" in stranger.say(AUTH, "</failure>")


def test_direct_tls_is_taken_at_the_same_port(server: Server, tmp_path: Path) -> None:
    """XEP-0368 section 3."""
    stranger = server.stranger()
    stranger.start_tls(OF_MONTAGUE, tmp_path)
    assert "EXTERNAL" in stranger.say(HEADER, "</stream:features>")


def test_nothing_is_taken_in_clear_where_tls_is_required(server: Server) -> None:
    stranger = server.stranger()
    stranger.say(HEADER, "</stream:features>")
    stranger.say(f"<db:result from='{MONTAGUE}' to='{CAPULET}'>k</db:result>", "<policy-violation")
    stranger.say(STANZA, "<not-authorized")


def test_what_follows_starttls_in_clear_is_not_taken(server: Server) -> None:
    stranger = server.stranger()
    stranger.say(HEADER, "</stream:features>")
    told = stranger.say(STARTTLS + HEADER, "</stream:stream>")
    assert "<proceed" not in told
    assert "<policy-violation" in told


def test_old_versions_of_tls_are_refused(server: Server, tmp_path: Path) -> None:
    stranger = server.stranger()
    stranger.say(HEADER, "</stream:features>")
    stranger.say(STARTTLS, "<proceed")
    with pytest.raises((ssl.SSLError, ConnectionError)), pytest.warns(DeprecationWarning, match="deprecated"):
        stranger.start_tls(None, tmp_path, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_no_xml_is_answered_and_ends_the_stream(server: Server) -> None:
    assert "<not-well-formed" in server.stranger().say("GET / HTTP/1.1\r\n\r\n<", "</stream:stream>")
    assert "<restricted-xml" in server.stranger().say("<!DOCTYPE x []>", "</stream:stream>")


def test_five_thousand_half_open_streams_keep_nobody_out(server: Server, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 5 * MAX_HALF_OPEN
    if hard < 2 * count + 1_000:
        pytest.skip(f"only {hard} open files are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count + 1_000), hard))
    strangers: list[Stranger] = []
    friend = server.stranger()
    friend.secure(OF_MONTAGUE, tmp_path)
    friend.say(AUTH, "<success")
    friend.say(HEADER, "</stream:features>")
    try:
        for number in range(count):
            strangers.append(server.stranger())
            strangers[-1].say(HEADER[: number % len(HEADER)])
            if number % 1_000 == 0:
                friend.say(STANZA)
        late = server.stranger()
        assert "EXTERNAL" in late.secure(OF_MONTAGUE, tmp_path)
        server.wait(lambda: len(server.node.delivered) == 5)
        assert "<resource-constraint" in strangers[0].read("</stream:stream>")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- the other way: capulet connects to whoever answers for montague


def test_tls_that_was_stripped_from_the_offer_is_noticed(server: Server) -> None:
    got: list[bytes] = []

    def strip(connection: socket.socket) -> None:
        got.append(connection.recv(65_536))
        dialback = "<dialback xmlns='urn:xmpp:features:dialback'/>"
        connection.sendall(f"{ANSWER}<stream:features>{dialback}</stream:features>".encode())
        while data := connection.recv(65_536):
            got.append(data)

    listener = Listener(strip)
    server.addresses[MONTAGUE] = (Address("127.0.0.1", listener.port),)
    server.send("secret")
    server.wait(lambda: server.node.bounced)
    listener.close()
    [(_, error)] = server.node.bounced
    assert error.condition is Condition.REMOTE_SERVER_TIMEOUT
    assert "does not offer TLS" in error.text
    assert b"secret" not in b"".join(got)
    assert b"db:result" not in b"".join(got)


def test_endless_features_are_not_read_to_the_end(server: Server) -> None:
    sent: list[int] = []

    def flood(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(f"{ANSWER}<stream:features>".encode())
        with suppress(OSError):
            while len(sent) < 10_000:
                connection.sendall(b"<x/>" * 1_000)
                sent.append(1)

    listener = Listener(flood)
    server.addresses[MONTAGUE] = (Address("127.0.0.1", listener.port),)
    server.send("hello?")
    server.wait(lambda: sent)
    server.wait(lambda: not server.node.bounced)
    listener.close()
    assert len(sent) < 10_000
