"""Clients that are slow, gone without a word, too fast, or do not look at what they get."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.conformance.site import Client
from tests.conformance.wire import Wire


class Slow(Wire):
    """Sends one byte at a time, each of which the server has read before the next one comes."""

    barrier: Client | None = None

    def send(self, data: str | bytes) -> None:
        assert self.barrier is not None
        for byte in data.encode() if isinstance(data, str) else data:
            super().send(bytes([byte]))
            self.barrier.sync()


def vanish(client: Client) -> None:
    """The connection is half open (RFC 793 section 3.4): this end forgets it, and the other end is not told."""
    tcp_repair = 19
    try:
        client._socket.setsockopt(socket.IPPROTO_TCP, tcp_repair, 1)
    except (PermissionError, OSError) as error:
        pytest.skip(f"only root may forget a connection in silence: {error}")
    client.close()


class Flood:
    """Sends messages as fast as it may, in a thread, until it is told to stop or is cut off."""

    def __init__(self, sender: Client, to: str) -> None:
        self.sent_bytes = 0
        self.is_cut_off = False
        self._stop = threading.Event()
        self._data = (f"<message to='{to}' type='headline'><body>{'flood ' * 40}</body></message>" * 50).encode()
        self._sender = sender
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._sender.send(self._data)
                self.sent_bytes += len(self._data)
        except OSError:
            self.is_cut_off = True

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Sink:
    """Reads what comes and throws it away, in a thread, until the client is closed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        reader = self._client._socket
        try:
            while reader.recv(1 << 20):
                pass
        except OSError:
            pass

    def stop(self) -> None:
        self._client.half_close()
        self._thread.join()
