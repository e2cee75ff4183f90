# mypy: allow-untyped-calls
# (gevent annotates only some of its functions)
"""The connection of a load user after its login: no greenlet waits for input, so that thousands are cheap."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from cluster.client.blocking import READ_BYTES, BlockingClient
from cluster.xmpp.errors import StreamError
from cluster.xmpp.jid import Jid
from cluster.xmpp.parser import Slice
from cluster.xmpp.streams.login import StreamFailed

MAX_UNSENT_BYTES = 1_048_576
"""Of one connection; a server that does not read that much is taken for broken."""
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_READ, _WRITE = 1, 2


class Connection:
    """Reads when something came, once for each time that the loop wakes up; writes at once what the system takes."""

    def __init__(
        self,
        client: BlockingClient,
        on_child: Callable[[Slice], None],
        on_lost: Callable[[Connection, Exception], None],
    ) -> None:
        """Take over a client that is logged in, until `stop` gives it back.

        `on_child` gets what comes, in gevent's hub, where nothing may wait. `on_lost` gets the reason, once.
        """
        self.client = client
        self.jid: Jid = client.jid
        self.is_busy = True
        """Something has come since this was last set to False."""
        self._on_child = on_child
        self._on_lost = on_lost
        self._socket: Any = client.detach()
        self._socket.setblocking(False)
        # what TLS has decrypted already, of which the system does not tell
        self._pending = self._socket.pending if isinstance(self._socket, ssl.SSLSocket) else bool
        self._unsent = b""
        self._drained: Event | None = None
        self._error: Exception | None = None
        client.rest()
        loop = gevent.get_hub().loop
        self._readable: Any = loop.io(self._socket.fileno(), _READ)
        self._writable: Any = None
        self._readable.start(self._read)
        loop.run_callback(self._read)  # what has been read during the login

    def write(self, raw: bytes) -> None:
        """Write without waiting: what the system does not take now is written later. Raises OSError."""
        if self._error is not None:
            raise ConnectionError(str(self._error))
        if not self._unsent:
            try:
                written = self._socket.send(raw)
            except NOT_NOW:
                written = 0
            except OSError as error:
                self._break(error)
                raise
            if written == len(raw):
                return
            raw = raw[written:]
        self._unsent += raw
        if len(self._unsent) > MAX_UNSENT_BYTES:
            unread = TimeoutError(f"the server has left {MAX_UNSENT_BYTES:,} bytes unread")
            self._break(unread)
            raise unread
        if self._writable is None:
            self._writable = gevent.get_hub().loop.io(self._socket.fileno(), _WRITE)
            self._writable.start(self._write_more)

    def send(self, raw: bytes) -> None:
        """Write, and wait until the system has all of it. Raises OSError."""
        if self._unsent:
            self._drain()
        self.write(raw)
        if self._unsent:
            self._drain()

    def stop(self) -> BlockingClient:
        """The client, which blocks again; nothing is reported any more.

        It is cut off if the server has read a part of a stanza only.
        """
        if self._unsent:
            self.client.cut()
        if self._error is None:
            self._error = ConnectionError("the connection is not in use any more")
        self._forget()
        self._socket.setblocking(True)
        return self.client

    def _drain(self) -> None:
        while self._unsent:
            if self._drained is None:
                self._drained = Event()
            self._drained.wait()
        if self._error is not None:
            raise ConnectionError(str(self._error))

    def _write_more(self) -> None:
        try:
            written = self._socket.send(self._unsent)
        except NOT_NOW:
            return
        except OSError as error:
            self._break(error)
            return
        self._unsent = self._unsent[written:]
        if not self._unsent:
            self._stop_writing()

    def _read(self) -> None:
        self.is_busy = True
        client = self.client
        try:
            self._hand_on()
            while self._error is None:
                data = self._socket.recv(READ_BYTES)
                if not data:
                    raise ConnectionError("the server closed the connection")
                client.feed(data)
                self._hand_on()
                if not self._pending():
                    return
        except NOT_NOW:
            pass
        except (OSError, StreamFailed, StreamError) as error:
            self._break(error)

    def _hand_on(self) -> None:
        received = self.client.received
        while received and self._error is None:
            self._on_child(received.popleft())
        if self.client.has_ended and self._error is None:
            self._break(ConnectionError("the server ended the stream"))

    def _break(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            self._forget()
            self.client.cut()
            self._socket.close()
            self._on_lost(self, error)

    def _forget(self) -> None:
        self._readable.stop()
        self._stop_writing()
        self._unsent = b""

    def _stop_writing(self) -> None:
        if self._writable is not None:
            self._writable.stop()
            self._writable = None
        if self._drained is not None:
            self._drained.set()
            self._drained = None
