"""One client connection that blocks: open, send, receive, close."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import ssl
import struct
from collections import deque
from functools import lru_cache
from types import TracebackType

from cluster.xmpp.jid import Jid
from cluster.xmpp.parser import Slice, StreamEnd
from cluster.xmpp.streams import sasl
from cluster.xmpp.streams.events import TlsWanted
from cluster.xmpp.streams.initiating import InitiatingStream
from cluster.xmpp.streams.login import Bound, Login, Resumption

READ_BYTES = 65_536


def _context(ca_file: str | None) -> ssl.SSLContext:
    """One for all connections, as long as the file is the same: each would hold all certificates once more."""
    status = None if ca_file is None else os.stat(ca_file)
    return _context_of(ca_file, status and (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=8)
def _context_of(ca_file: str | None, state: tuple[int, int, int] | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


class BlockingClient:
    """A logged-in client. As a context manager it closes its stream at the end.

    Raises StreamFailed if the server refuses, StreamError if the server sends no valid stream, OSError (TimeoutError
    and ssl.SSLError among them) if the network fails.
    """

    def __init__(
        self,
        address: tuple[str, int],
        login: Login,
        ca_file: str | None,
        timeout_s: float = 20.0,
        resumption: Resumption | None = None,
    ) -> None:
        """Connect and log in.

        `ca_file`: the lab's CA in PEM form; None only for a lab without TLS. `resumption`: try to resume this stream;
        `bound` has the result.
        """
        self._ca_file = ca_file
        self.received: deque[Slice] = deque()
        """Children of the stream that have been read, and nobody has taken yet."""
        self.has_ended = False
        """The server has ended the stream."""
        self._stream = InitiatingStream(login, lambda: secrets.token_hex(16), resumption)
        self._socket: socket.socket = socket.create_connection(address, timeout_s)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._flush()
            while self._stream.bound is None:
                self._read(timeout_s)
        except BaseException:
            self._socket.close()
            raise
        self.bound: Bound = self._stream.bound
        self.jid: Jid = self.bound.jid

    def send(self, raw: bytes, timeout_s: float | None = None) -> None:
        """Write one or more stanzas. TimeoutError if the server did not read them in time: the stream is broken."""
        self._socket.settimeout(timeout_s)
        self._socket.sendall(raw)

    def receive(self, timeout_s: float | None = None) -> Slice | None:
        """The next child of the stream; None if the server ended it. TimeoutError if none came in time."""
        while not self.received and not self.has_ended:
            self._read(timeout_s)
        return self.received.popleft() if self.received else None

    def detach(self) -> socket.socket:
        """The connection, for somebody who reads and writes on it directly, and may give what it reads to `feed`."""
        return self._socket

    def feed(self, data: bytes) -> None:
        """Handle what was read from the connection."""
        self._stream.receive_data(data)
        for event in self._stream.events():
            if isinstance(event, Slice):
                self.received.append(event)
            elif isinstance(event, TlsWanted):
                self._start_tls()
            elif isinstance(event, StreamEnd):
                self.has_ended = True

    def rest(self) -> None:
        """Free the memory of the parser until more is read."""
        self._stream.rest()

    def close(self) -> None:
        """End the stream and the connection."""
        try:
            if not self.has_ended:
                self._stream.close()
                self._flush()
        except OSError:
            pass  # it is closed already
        finally:
            self._socket.close()

    def cut(self) -> None:
        """Break the connection without a goodbye, like a cable that is pulled; from any thread."""
        linger = struct.pack("ii", 1, 0)  # the contents of its buffers are lost, here and at the server
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # below TLS, which would say goodbye
        except OSError:
            pass  # it is closed already

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _flush(self) -> None:
        if data := self._stream.data_to_send():
            self._socket.sendall(data)

    def _read(self, timeout_s: float | None) -> None:
        self._socket.settimeout(timeout_s)
        data = self._socket.recv(READ_BYTES)
        if not data:
            self.has_ended = True
            if self._stream.bound is None:
                raise ConnectionError("the server closed the connection before the login was done")
            return
        self.feed(data)
        self._flush()

    def _start_tls(self) -> None:
        secured = _context(self._ca_file).wrap_socket(self._socket, server_hostname=self._stream.domain)
        self._socket = secured
        certificate = secured.getpeercert(binary_form=True) or b""
        # RFC 5929 section 4.1; lab certificates are signed with SHA-256
        self._stream.tls_started({sasl.END_POINT: hashlib.sha256(certificate).digest()})
