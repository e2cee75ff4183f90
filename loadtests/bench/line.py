"""One client's connection after its login: bytes out, bytes in, at minimal cost."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

READ_BYTES = 262_144
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Line:
    """Does not block; bytes that the server does not accept yet wait here."""

    __slots__ = ("_epoll", "_socket", "_unsent", "on_data")

    def __init__(self, connection: socket.socket, epoll: select.epoll) -> None:
        """`epoll` tells when to `serve`."""
        connection.setblocking(False)
        self._socket = connection
        self._epoll = epoll
        self._unsent = b""
        self.on_data: Callable[[bytes], None] = _ignore
        epoll.register(connection, select.EPOLLIN)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        """Write the bytes, now or when the server reads on."""
        if self._unsent:
            self._unsent += data
            return
        self._unsent = data
        self._flush()
        if self._unsent:
            self._epoll.modify(self._socket, select.EPOLLIN | select.EPOLLOUT)

    def serve(self, events: int) -> None:
        """The socket can be read or written. Raises ConnectionError at the stream's end."""
        if events & select.EPOLLOUT:
            self._flush()
            if not self._unsent:
                self._epoll.modify(self._socket, select.EPOLLIN)
        try:
            while data := self._socket.recv(READ_BYTES):
                self.on_data(data)
                if len(data) < READ_BYTES and not isinstance(self._socket, ssl.SSLSocket):
                    return
        except _WOULD_BLOCK:
            return
        raise ConnectionError("a server ended the stream of a client")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _flush(self) -> None:
        with suppress(*_WOULD_BLOCK):
            self._unsent = self._unsent[self._socket.send(self._unsent) :]


def _ignore(data: bytes) -> None:
    pass
