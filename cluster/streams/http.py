"""The Twisted side of HTTP where no request has a body."""

from __future__ import annotations

from typing import Any

from twisted.web.http import HTTPChannel
from twisted.web.server import Request


class BodilessRequest(Request):
    """A request without a body: no resource here takes one, and Twisted would store any, of whatever size, in a
    file."""

    def gotLength(self, length: int | None) -> None:
        """Refuse a body, whose size is None if it is not announced (RFC 9110 section 15.5.14)."""
        super().gotLength(0)  # type: ignore[no-untyped-call]
        if length != 0:
            channel: Any = self.channel
            channel.transport.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            channel.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:
        """Discard the part that arrives."""


class RequestChannel(HTTPChannel):
    """A connection on which a whole request must arrive in time, not only a byte now and then."""

    def resetTimeout(self) -> None:
        """Called with each piece of a request: the time limit does not start again."""
