"""One connection of a client, from TCP to the bound resource (RFC 6120), on asyncio and expat alone."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import deque
from dataclasses import dataclass, field
from xml.parsers import expat

STREAMS, TLS, SASL, BIND, SM, SID, CLIENT = (
    "http://etherx.jabber.org/streams", "urn:ietf:params:xml:ns:xmpp-tls", "urn:ietf:params:xml:ns:xmpp-sasl",
    "urn:ietf:params:xml:ns:xmpp-bind", "urn:xmpp:sm:3", "urn:xmpp:sid:0", "jabber:client",
)  # fmt: skip

READ_BYTES = 65_536
PATIENCE_S = 60.0


class StreamEnded(Exception):
    """The connection is over, or what came is not what the standard says."""


@dataclass
class Part:
    """An element: `namespace name`, its attributes, its text, its children."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Part] = field(default_factory=list)

    def child(self, name: str) -> Part | None:
        """The first child of this name."""
        return next((each for each in self.children if each.name == name), None)


class Stream:
    """Reads the children of the stream one by one, and writes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._found: deque[Part] = deque()
        self._open: list[Part] = []
        self._parser = self._new_parser()

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        parser.CharacterDataHandler = self._on_text
        self._open.clear()
        return parser

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        part = Part(name, attributes)
        if len(self._open) > 1:
            self._open[-1].children.append(part)
        self._open.append(part)

    def _on_end(self, name: str) -> None:
        part = self._open.pop()
        if len(self._open) == 1:
            self._found.append(part)

    def _on_text(self, text: str) -> None:
        if len(self._open) > 1:
            self._open[-1].text += text

    def open(self, domain: str) -> None:
        """Open the stream, or restart it."""
        self._parser = self._new_parser()
        self._found.clear()
        self.write(
            f"<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='{CLIENT}' "
            f"xmlns:stream='{STREAMS}'>"
        )

    def write(self, text: str) -> None:
        """Put it on its way."""
        self.writer.write(text.encode())

    async def read(self) -> Part:
        """The next child of the stream. Raises StreamEnded."""
        while not self._found:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise StreamEnded("the server closed the connection")
            try:
                self._parser.Parse(data, False)
            except expat.ExpatError as error:
                raise StreamEnded(f"not well-formed: {error}") from None
        return self._found.popleft()

    async def read_named(self, *names: str) -> Part:
        """The next child, which must be one of these. Raises StreamEnded."""
        part = await asyncio.wait_for(self.read(), PATIENCE_S)
        if part.name not in names:
            raise StreamEnded(f"{part.name} came where one of {names} was expected")
        return part

    async def start_tls(self, context: ssl.SSLContext, domain: str) -> None:
        """Secure the connection (section 5)."""
        self.write(f"<starttls xmlns='{TLS}'/>")
        await self.read_named(f"{TLS} proceed")
        await self.writer.start_tls(context, server_hostname=domain)

    def close(self) -> None:
        """End the connection."""
        self.writer.close()


async def log_in(address: tuple[str, int], user: str, domain: str, password: str, ca_file: str) -> Stream:
    """A stream after SASL, before a resource is bound. Raises StreamEnded, OSError, TimeoutError."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection(*address), PATIENCE_S)
    stream = Stream(reader, writer)
    try:
        context = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
        stream.open(domain)
        await stream.read_named(f"{STREAMS} features")
        await stream.start_tls(context, domain)
        stream.open(domain)
        await stream.read_named(f"{STREAMS} features")
        secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        stream.write(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{secret}</auth>")
        await stream.read_named(f"{SASL} success")
        stream.open(domain)
        await stream.read_named(f"{STREAMS} features")
    except BaseException:
        stream.close()
        raise
    return stream
