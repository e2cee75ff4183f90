"""The TLS of client streams, with the client that Python has: all that is sent arrives, however it is cut."""

from __future__ import annotations

import ctypes
import datetime
import ssl
import sys
from contextlib import suppress
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from cluster.lab.provision import ca
from cluster.streams import tls
from cluster.streams.tls_layer import TlsFactory, TlsLayer

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def options() -> CertificateOptions:
    _, issued = ca.issue(NOW, "lab", {"s1": (["montague.lit"], "127.0.0.1")})
    key, certificate = load_pem_private_key(issued["s1"].key, None), issued["s1"].certificate
    return tls.offer(key, x509.load_pem_x509_certificate(certificate), tls.XMPP, must_agree=False)


class Stream(Protocol):
    """Keeps what arrives, and the reason of the end."""

    def __init__(self) -> None:
        self.got = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class Connected:
    """Both ends of a connection, after the handshake."""

    def __init__(self, options: CertificateOptions) -> None:
        self.stream = Stream()
        self.transport = StringTransport()
        made: Any = TlsLayer
        self.layer = made(TlsFactory(options, None, Clock()), self.stream, False)
        self.layer.makeConnection(self.transport)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = context.wrap_bio(self.incoming, self.outgoing)
        for _ in range(2):
            with suppress(ssl.SSLWantReadError):
                self.client.do_handshake()
            self.layer.dataReceived(self.outgoing.read())
            self._hear()

    def _hear(self) -> None:
        self.incoming.write(self.transport.value())
        self.transport.clear()

    def encrypted(self, data: bytes) -> bytes:
        """A record of the client."""
        self.client.write(data)
        return self.outgoing.read()

    def heard(self) -> bytes:
        """All that the client has been sent since."""
        self._hear()
        data = b""
        with suppress(ssl.SSLWantReadError):
            while piece := self.client.read(65_536):
                data += piece
        return data


@pytest.fixture
def connected(options: CertificateOptions) -> Connected:
    return Connected(options)


@pytest.mark.parametrize("size", [1, 4, 5, 6, 100, 117, 10_000, 1_000_000])
def test_records_arrive_however_they_are_cut(connected: Connected, size: int) -> None:
    sent = [b"<message/>", b"", b" " * 16_384, b"<presence/>", b"<iq/>"]
    wire = b"".join(map(connected.encrypted, sent))
    for start in range(0, len(wire), size):
        connected.layer.dataReceived(wire[start : start + size])
    assert connected.stream.got == b"".join(sent)


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 100_000])
def test_all_that_is_written_arrives(connected: Connected, size: int) -> None:
    connected.layer.write(b"x" * size)
    connected.layer.write(b"</stream:stream>")
    assert connected.heard() == b"x" * size + b"</stream:stream>"


def test_the_end_of_a_client_is_answered_after_its_last_words(connected: Connected) -> None:
    last = connected.encrypted(b"</stream:stream>")
    with suppress(ssl.SSLWantReadError):
        connected.client.unwrap()
    connected.layer.dataReceived(last + connected.outgoing.read())
    assert connected.stream.got == b"</stream:stream>"
    connected._hear()
    connected.client.unwrap()  # raises without the alert of the server
    assert connected.transport.disconnecting


def test_what_is_not_tls_ends_the_connection(connected: Connected) -> None:
    connected.layer.dataReceived(connected.encrypted(b"<presence/>") + b"<message/> in clear text")
    assert connected.stream.got == b"<presence/>"
    assert connected.transport.disconnecting


def test_a_connection_that_breaks_within_a_record(connected: Connected) -> None:
    connected.layer.dataReceived(connected.encrypted(b"<presence/>")[:-1])
    connected.layer.connectionLost(Failure(ConnectionResetError()))
    assert connected.stream.got == b""
    assert connected.stream.lost is not None


@pytest.mark.parametrize("cut", [1, 4, 5, 20])
def test_nothing_is_lost_when_it_rests_meanwhile(connected: Connected, cut: int) -> None:
    record = connected.encrypted(b"<presence/>")
    connected.layer.dataReceived(record[:cut])
    connected.layer.rest()
    connected.layer.dataReceived(record[cut:])
    assert connected.stream.got == b"<presence/>"
    connected.layer.rest()
    connected.layer.write(b"<message/>")
    assert connected.heard() == b"<message/>"


class _Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc; `uordblks` are the bytes that are in use."""

    _fields_ = [(name, ctypes.c_size_t) for name in (*(f"other{number}" for number in range(7)), "uordblks", "f", "k")]


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator of glibc is asked")
def test_an_idle_connection_gives_its_buffers_back(options: CertificateOptions) -> None:
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Mallinfo
    many = [Connected(options) for _ in range(20)]
    for each in many:
        each.layer.write(b"x" * 16_384)  # such as a roster
        each.heard()
    before_bytes = libc.mallinfo2().uordblks
    for each in many:
        each.layer.rest()
    assert before_bytes - libc.mallinfo2().uordblks > 16_384 * len(many)
