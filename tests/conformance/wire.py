"""A client that is nothing but XML on a socket: no library of ours stands between a test and the server."""

from __future__ import annotations

import base64
import socket
import ssl
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

Element = ET.Element
CLIENT = "{jabber:client}"
SERVER = "{jabber:server}"
STREAMS = "{http://etherx.jabber.org/streams}"
STREAM_ERRORS = "{urn:ietf:params:xml:ns:xmpp-streams}"
STANZA_ERRORS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
TLS = "{urn:ietf:params:xml:ns:xmpp-tls}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
BIND = "{urn:ietf:params:xml:ns:xmpp-bind}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class Ended(AssertionError):
    """The server ended the stream or the connection while a test still expected something."""


class Silence(AssertionError):
    """What a test expected never came."""


class Wire:
    """One connection; as a context manager it is closed with the block."""

    patience_s = 60.0
    """How long a test waits for what must come: only ever reached by a test that fails."""
    declared = "xmlns='jabber:client'"
    """In the header of this side: the content namespace."""

    def __init__(self, connected: tuple[str, int] | socket.socket) -> None:
        """`connected`: an address, or the connection that somebody opened."""
        self._socket = (
            socket.create_connection(connected, self.patience_s) if isinstance(connected, tuple) else connected
        )
        self._socket.settimeout(self.patience_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.raw = b""
        """All that the server wrote since the stream was opened or restarted."""
        self.restart()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection, without a word."""
        self._socket.close()

    def restart(self) -> None:
        """The next thing that the server writes is a stream header."""
        self._parser = ET.XMLPullParser(("start", "end", "start-ns"))
        self._depth = 0
        self._children: deque[Element] = deque()
        self.prefixes: dict[str, str] = {}
        """What the server's header declares."""
        self._header: Element | None = None
        self.is_closed = False
        """The server closed its stream."""
        self.raw = b""

    # --- out

    def send(self, data: str | bytes) -> None:
        """Write it as it is."""
        self._socket.sendall(data.encode() if isinstance(data, str) else data)

    def say_header(self, to: str | None, *, version: str | None = "1.0", extra: str = "") -> None:
        """The usual stream header. `extra`: further attributes and declarations."""
        address = "" if to is None else f" to='{to}'"
        spoken = "" if version is None else f" version='{version}'"
        self.send(
            f"<?xml version='1.0'?><stream:stream{address}{spoken} {self.declared} "
            f"xmlns:stream='http://etherx.jabber.org/streams' {extra}>"
        )

    def open(self, to: str | None, *, version: str | None = "1.0", extra: str = "") -> Element:
        """Open or restart a stream; the server's header, whose features are read into `features`."""
        self.restart()
        self.say_header(to, version=version, extra=extra)
        header = self.header()
        self.features = self.read()
        assert self.features.tag == f"{STREAMS}features", ET.tostring(self.features)
        return header

    def half_close(self) -> None:
        """No more bytes from this side; the server's are still read."""
        self._socket.shutdown(socket.SHUT_WR)

    def start_tls(self, ca_file: str, name: str) -> None:
        """The TLS handshake, with the certificate checked."""
        context = ssl.create_default_context(cafile=ca_file)
        self._socket = context.wrap_socket(self._socket, server_hostname=name, suppress_ragged_eofs=False)

    @property
    def socket(self) -> socket.socket:
        """The connection, for a test that goes on by itself."""
        return self._socket

    @property
    def tls(self) -> ssl.SSLSocket:
        """The secured connection."""
        assert isinstance(self._socket, ssl.SSLSocket)
        return self._socket

    # --- in

    def header(self) -> Element:
        """The server's stream header."""
        while self._header is None:
            self.read_more()
        return self._header

    def read(self) -> Element:
        """The next child of the server's stream. Raises Ended where there is none."""
        while not self._children:
            if self.is_closed:
                raise Ended("the server closed its stream")
            self.read_more()
        return self._children.popleft()

    def has(self, tag: str) -> bool:
        """A child with this name came, and is not read yet."""
        return any(child.tag == tag for child in self._children)

    def until(self, wanted: Callable[[Element], bool]) -> list[Element]:
        """All up to the first that is wanted, which is the last of the list."""
        seen = [self.read()]
        while not wanted(seen[-1]):
            seen.append(self.read())
        return seen

    def stream_error(self) -> str:
        """The condition of the stream error that comes; the stream and the connection are closed after it."""
        error = self.until(lambda child: child.tag == f"{STREAMS}error")[-1]
        conditions = [c.tag for c in error if c.tag.startswith(STREAM_ERRORS) and c.tag != f"{STREAM_ERRORS}text"]
        assert len(conditions) == 1, ET.tostring(error)
        self.last_error = error
        self.expect_end()
        return conditions[0].removeprefix(STREAM_ERRORS)

    def expect_end(self) -> list[Element]:
        """The server closes its stream, and when this side has too, the connection; what came before that."""
        while not self.is_closed:
            self.read_more()
        with suppress(OSError):  # it does not wait for this where it could not read what came before
            self.send("</stream:stream>")
        self.expect_eof()
        return [*self._children]

    def expect_eof(self, *, clean: bool = False) -> bytes:
        """The connection is closed; what came before that, unparsed. `clean`: by no means cut off."""
        rest = b""
        while True:
            try:
                data = self._socket.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                if clean:
                    raise
                return rest
            if not data:
                return rest
            rest += data

    def read_more(self) -> None:
        """What the server says next, whatever that is."""
        try:
            data = self._socket.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        except TimeoutError:
            raise Silence(f"the server said nothing for {self.patience_s} s") from None
        if not data:
            raise Ended("the server closed the connection")
        self.raw += data
        try:
            self._parser.feed(data)
            for event, what in self._parser.read_events():
                self._parsed(event, what)
        except ET.ParseError as error:
            raise AssertionError(f"what the server sends is no XML: {error}") from None

    def _parsed(self, event: str, what: Any) -> None:
        if event == "start-ns":
            if self._depth == 0:
                self.prefixes[what[0]] = what[1]
        elif event == "start":
            if self._depth == 0:
                self._header = what
            self._depth += 1
        else:
            self._depth -= 1
            if self._depth == 1:
                self._children.append(what)
            elif self._depth == 0:
                self.is_closed = True

    # --- the login

    def plain(self, localpart: str, password: str, authzid: str = "") -> Element:
        """A PLAIN login; what the server says to it."""
        message = base64.b64encode(f"{authzid}\0{localpart}\0{password}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{message}</auth>")
        return self.read()

    def register(self, localpart: str, password: str) -> None:
        """Make the account (XEP-0077)."""
        self.send(
            "<iq type='set' id='register'><query xmlns='jabber:iq:register'>"
            f"<username>{localpart}</username><password>{password}</password></query></iq>"
        )
        answer = self.read()
        assert answer.get("type") == "result", ET.tostring(answer)

    def bind(self, resource: str = "") -> Element:
        """Ask for a resource; the answer."""
        wish = f"<resource>{resource}</resource>" if resource else ""
        self.send(f"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{wish}</bind></iq>")
        return self.read()


def error_of(stanza: Element) -> tuple[str, str]:
    """Type and condition of an error stanza."""
    error = stanza.find(f"{stanza.tag.partition('}')[0]}}}error")
    assert stanza.get("type") == "error", ET.tostring(stanza)
    assert error is not None, ET.tostring(stanza)
    names = [child.tag for child in error if child.tag.startswith(STANZA_ERRORS)]
    conditions = [name.removeprefix(STANZA_ERRORS) for name in names if name != f"{STANZA_ERRORS}text"]
    assert len(conditions) == 1, ET.tostring(stanza)
    return error.get("type", ""), conditions[0]


def mechanisms(features: Element) -> list[str]:
    """The SASL mechanisms on offer."""
    return [each.text or "" for each in features.iter(f"{SASL}mechanism")]


def bound_jid(answer: Element) -> str:
    """The full JID that a bind result gives."""
    assert answer.get("type") == "result", ET.tostring(answer)
    return answer.findtext(f"{BIND}bind/{BIND}jid") or ""
