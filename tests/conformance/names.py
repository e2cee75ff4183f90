"""A name server for the peers' domains: they find each other by SRV records (RFC 2782), on any port of localhost."""

from __future__ import annotations

import socket
import struct
import threading

_SRV, _IN = 33, 1


class NameServer:
    """Answers on a free UDP port of the loopback, in a thread, until it is closed."""

    def __init__(self, ports: dict[str, int]) -> None:
        """`ports`: where other servers connect, by domain."""
        self._ports = ports
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def add(self, domain: str, port: int) -> None:
        """One more domain."""
        self._ports[domain] = port

    def close(self) -> None:
        """No more answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, asker = self._socket.recvfrom(4096)
            if not query:
                return
            self._socket.sendto(self._answer(query), asker)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        question, (kind,) = query[12 : at + 5], struct.unpack("!H", query[at + 1 : at + 3])
        name = ".".join(labels)
        port = self._ports.get(name.removeprefix("_xmpp-server._tcp.")) if name.startswith("_xmpp-server.") else None
        data = b""
        if port and kind == _SRV:
            data = struct.pack("!HHH", 0, 0, port) + b"\x09localhost\0"
        record = struct.pack("!HHHIH", 0xC00C, kind, _IN, 60, len(data)) + data if data else b""
        code = 0 if data else 3  # NXDOMAIN
        head = query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, 1 if data else 0, 0, 0)
        return head + question + record
