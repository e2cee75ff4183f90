"""The memory of an idle session, in the clear and under TLS, and how much of it OpenSSL takes, by the allocator."""

from __future__ import annotations

import ctypes
import ssl
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

from OpenSSL import SSL

from loadtests.bench import report
from loadtests.bench.certificate import write_certificate
from loadtests.bench.compare import CONTENDERS, start, those_present
from loadtests.bench.measure import resting_kib

_CONNECTIONS = 200
_TRAFFIC_BYTES = 500
"""Of each message that crosses a connection after its handshake, such as those of a login."""


def sessions(count: int, rounds: int, tell: Callable[[str], None]) -> str:
    """The growth of a server's memory for each of `count` sessions: medians, with the least and the most."""
    present = those_present(CONTENDERS, tell)
    found: dict[str, dict[str, list[float]]] = {each.name: {"in the clear": [], "under TLS": []} for each in present}
    for number in range(rounds):
        tell(f"round {number + 1} of {rounds}")
        for each in present:
            for kib, tls in zip(found[each.name].values(), (False, True), strict=True):
                with ExitStack() as up:  # a new pair: one with former sessions has memory left for more
                    kib.append(resting_kib(start(each, up, tell), count, tls=tls))
    shares = openssl_kib()
    tell(f"all figures: {report.save('sessions', {'machine': report.machine(), 'kib': found, 'openssl': shares})}")
    rows = ["| KiB for each idle session | in the clear | under TLS |", "| --- | --- | --- |"]
    rows += [f"| {name} | {' | '.join(map(_spread, kib.values()))} |" for name, kib in found.items()]
    rows += [
        "",
        f"| {SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()}, one connection alone | KiB |",
        "| --- | --- |",
    ]
    rows += [f"| {stage} | {kib:.1f} |" for stage, kib in shares.items()]
    return "\n".join(rows)


def _spread(kib: list[float]) -> str:
    return f"{median(kib):.1f} ({min(kib):.1f} to {max(kib):.1f})"


class _Mallinfo(ctypes.Structure):
    """`struct mallinfo2` of glibc."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks")),
        *((name, ctypes.c_size_t) for name in ("uordblks", "fordblks", "keepcost")),
    ]


def _used_bytes() -> int:
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Mallinfo
    found = libc.mallinfo2()
    return int(found.uordblks + found.hblkhd)


def openssl_kib() -> dict[str, float]:
    """What the server's side of a connection takes from the allocator, without Twisted and without a session."""
    with tempfile.TemporaryDirectory() as folder:
        write_certificate(Path(folder), ["montague.lit"])
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_file(f"{folder}/cert.pem")
        context.use_privatekey_file(f"{folder}/key.pem")
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # as Twisted
    _talk(_accepting(context))  # the first one loads what all share
    before = _used_bytes()
    connections = [_accepting(context) for _ in range(_CONNECTIONS)]
    created = _used_bytes()
    for each in connections:
        _talk(each)
    talked = _used_bytes()
    per = 1024 * _CONNECTIONS
    return {"before the handshake": (created - before) / per, "after it, and some traffic": (talked - before) / per}


def _accepting(context: SSL.Context) -> SSL.Connection:
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


def _talk(server: SSL.Connection) -> None:
    """A handshake with the client that Python has, which is freed, and a message each way."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing)
    for _ in range(2):
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        server.bio_write(outgoing.read())
        with suppress(SSL.WantReadError):
            server.do_handshake()
        incoming.write(server.bio_read(1 << 16))
    client.write(bytes(_TRAFFIC_BYTES))
    server.bio_write(outgoing.read())
    server.recv(_TRAFFIC_BYTES)
    server.send(bytes(_TRAFFIC_BYTES))
    server.bio_read(1 << 16)
