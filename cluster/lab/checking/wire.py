"""A stream that is opened step by step, so that each step can be reported."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import Self

from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import DIALBACK, SERVER, STREAMS, TLS
from cluster.xmpp.parser import Slice, StreamEnd, StreamHeader, StreamParser
from cluster.xmpp.quoting import quoteattr

PATIENCE_S = 5.0
READ_BYTES = 65_536


class Ended(Exception):
    """The other side sent something unexpected; the message says what."""


class Wire:
    """One connection. Raises Ended, StreamError if the input is not a stream, and OSError (also TimeoutError)."""

    def __init__(self, address: tuple[str, int], namespace: str, to: str, from_: str = "") -> None:
        """Connect. `namespace`: of the content, which identifies this side (RFC 6120 section 4.8.2)."""
        self._socket: socket.socket = socket.create_connection(address, PATIENCE_S)
        self._header = (
            f"<?xml version='1.0'?><stream:stream xmlns='{namespace}' xmlns:stream='{STREAMS}' version='1.0' "
            f"to={quoteattr(to)}{f' from={quoteattr(from_)}' if from_ else ''}"
            f"{f' xmlns:db={quoteattr(DIALBACK)}' if namespace == SERVER else ''}>"
        )
        self._parser = StreamParser()
        self._found: list[StreamHeader | Slice | StreamEnd] = []

    def open(self) -> tuple[StreamHeader, Element]:
        """Open a stream: returns the other side's header and its features."""
        self._parser, self._found = StreamParser(), []
        self.send(self._header)
        header = self._next()
        if not isinstance(header, StreamHeader):
            raise Ended("it sent no stream header")
        return header, self.child("features")

    def send(self, text: str) -> None:
        """Write."""
        self._socket.sendall(text.encode())

    def child(self, *names: str) -> Element:
        """The next child of the stream, with one of these names; raises Ended for any other."""
        found = self._next()
        if not isinstance(found, Slice):
            raise Ended("it ended the stream")
        name, element = found.name.rpartition(" ")[2], xml.parse(found.raw)
        if name in names:
            return element
        raise Ended(f"it answered {name}: {_told(element)}")

    def start_tls(self, context: ssl.SSLContext, domain: str) -> ssl.SSLSocket:
        """STARTTLS (RFC 6120 section 5); returns the socket under TLS."""
        self.send(f"<starttls xmlns='{TLS}'/>")
        self.child("proceed")
        return self.begin_tls(context, domain)

    def begin_tls(self, context: ssl.SSLContext, domain: str) -> ssl.SSLSocket:
        """Begin TLS at once (XEP-0368); returns the socket under TLS."""
        secured = context.wrap_socket(self._socket, server_hostname=domain)
        self._socket = secured
        return secured

    def _next(self) -> StreamHeader | Slice | StreamEnd:
        while not self._found:
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise Ended("it closed the connection")
            self._parser.feed(data, self._found)
        return self._found.pop(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()


def _told(element: Element) -> str:
    """The condition and text of an error."""
    texts = [each.text for each in element if each.tag.endswith("}text") and each.text]
    return " ".join([*(each.tag.rpartition("}")[2] for each in element if not each.tag.endswith("}text")), *texts])
