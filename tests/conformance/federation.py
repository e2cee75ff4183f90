"""A server that a test plays: nothing but XML on sockets. The servers under test find it by its domain."""

from __future__ import annotations

import base64
import select
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conformance.wire import SASL, SERVER, TLS, Element, Ended, Silence, Wire

if TYPE_CHECKING:
    from tests.conformance.site import Domain

DIALBACK = "{jabber:server:dialback}"
RESULT, VERIFY = f"{DIALBACK}result", f"{DIALBACK}verify"
KEY = "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3"
ERRORS = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
"""The feature by which a server says that it knows dialback, and its errors (XEP-0220 section 2.4.2)."""
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
EXTERNAL = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>"


class ServerWire(Wire):
    """One stream between servers, whichever of them opened it."""

    def __init__(self, connected: tuple[str, int] | socket.socket, peer: Peer) -> None:
        self.declared = f"xmlns='jabber:server' xmlns:db='jabber:server:dialback' from='{peer.name}'"
        self._peer = peer
        super().__init__(connected)

    # --- a stream that this side opened

    def secure(self, domain: Domain) -> Element:
        """STARTTLS with the peer's certificate; the features under TLS."""
        self.send(STARTTLS)
        assert self.read().tag == f"{TLS}proceed"
        context = ssl.create_default_context(cafile=domain.ca_file)
        context.load_cert_chain(self._peer.place.certificate, self._peer.place.key)
        self._socket = context.wrap_socket(self._socket, server_hostname=domain.name, suppress_ragged_eofs=False)
        self.open(domain.name)
        return self.features

    def log_in(self, authzid: str = "", mechanism: str = "EXTERNAL") -> Element:
        """A login; what the server says to it. Without `authzid` the initial response is empty."""
        response = base64.b64encode(authzid.encode()).decode() or "="
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{response}</auth>")
        return self.read()

    def dial(self, to: str, from_: str = "", key: str = KEY) -> None:
        """A dialback key, for the server's verification."""
        self.send(f"<db:result from='{from_ or self._peer.name}' to='{to}'>{key}</db:result>")

    def ask(self, to: str, id: str, key: str) -> Element:
        """The answer to the question whether a key is the server's own."""
        self.send(f"<db:verify from='{self._peer.name}' to='{to}' id='{id}'>{key}</db:verify>")
        return self.until(lambda child: child.tag == VERIFY)[-1]

    # --- a stream that the server under test opened

    def welcome(self, features: str = ERRORS, *, id: str = "of-the-test", version: str | None = "1.0") -> Element:
        """Read the header, and answer it and what is on offer."""
        header = self.header()
        self.say_header(header.get("from"), version=version, extra=f"id='{id}'")
        if version:
            self.send(f"<stream:features>{features}</stream:features>")
        return header

    def welcome_anew(self, features: str) -> Element:
        """The same after TLS or a login."""
        self.restart()
        return self.welcome(features, id="anew")

    def accept_tls(self) -> None:
        """What the server asks for by STARTTLS."""
        assert self.read().tag == f"{TLS}starttls"
        self.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        place = self._peer.place
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place.certificate, place.key)
        context.load_verify_locations(place.ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
        self._socket = context.wrap_socket(self._socket, server_side=True, suppress_ragged_eofs=False)

    def accept_login(self) -> Element:
        """What the server logs in with, which is taken."""
        auth = self.read()
        assert auth.tag == f"{SASL}auth"
        self.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        return auth

    def accept_key(self, type: str = "valid", error: str = "") -> Element:
        """The server's dialback key, and this verdict."""
        result = self.until(lambda child: child.tag == RESULT and child.get("type") is None)[-1]
        self.answer(result, type, error)
        return result

    def question(self) -> Element:
        """The question for a key; the key that some servers send ahead of it is taken."""
        while (child := self.read()).tag != VERIFY:
            if child.tag == RESULT:
                self.answer(child, "valid")
        return child

    def answer(self, request: Element, type: str, error: str = "") -> None:
        """Of dialback: `valid`, `invalid`, or `error` with a condition."""
        name = request.tag.removeprefix(DIALBACK)
        id = f" id='{request.get('id')}'" if request.get("id") else ""
        said = f"<error type='cancel'><{error} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>" if error else ""
        self.send(
            f"<db:{name} from='{request.get('to')}' to='{request.get('from')}'{id} type='{type}'>{said}</db:{name}>"
        )

    def stanza(self) -> Element:
        """The next stanza; what is not one is passed over."""
        return self.until(lambda child: child.tag.startswith(SERVER))[-1]


@dataclass(frozen=True)
class Place:
    """A domain that a test may play."""

    name: str
    listening: socket.socket
    """Where the servers under test look for it."""
    certificate: Path
    key: Path
    ca_file: Path

    @staticmethod
    def nowhere(flaw: str = "") -> Place:
        """Of servers that do not federate."""
        raise AssertionError("these servers know of no other domain")


class Peer:
    """One domain, and its connections."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.name = place.name
        self._wires: list[ServerWire] = []
        self._asking: ServerWire | None = None
        """The server's stream on which it asked for our key."""

    def close(self) -> None:
        """Drop everything."""
        self.place.listening.close()
        for wire in self._wires:
            wire.close()

    def dial(self, domain: Domain) -> ServerWire:
        """A connection to a server that says nothing yet."""
        return self._known(ServerWire(domain.s2s, self))

    def opened(self, domain: Domain) -> ServerWire:
        """The same with an open stream, under TLS where the server wants that."""
        wire = self.dial(domain)
        wire.open(domain.name)
        if domain.ca_file:
            wire.secure(domain)
        return wire

    def speaking(self, domain: Domain) -> ServerWire:
        """The same, and authenticated: by EXTERNAL under TLS, by dialback in clear."""
        wire = self.opened(domain)
        if domain.ca_file:
            assert wire.log_in().tag == f"{SASL}success"
            wire.open(domain.name)
        else:
            wire.dial(domain.name)
            self.verify()
            answer = wire.read()
            assert (answer.tag, answer.get("type")) == (RESULT, "valid")
        return wire

    def accept(self) -> ServerWire:
        """The next connection of a server under test."""
        self.place.listening.settimeout(2 * Wire.patience_s)
        try:
            connection, _ = self.place.listening.accept()
        except TimeoutError:
            raise Silence(f"nobody connected within {2 * Wire.patience_s} s") from None
        return self._known(ServerWire(connection, self))

    def is_called_before(self, wire: ServerWire) -> bool:
        """Whether a server connects to the peer, and not answers here first."""
        found = select.select([self.place.listening, wire.socket], [], [], 2 * Wire.patience_s)[0]
        return self.place.listening in found

    def verify(self, type: str = "valid", error: str = "") -> tuple[ServerWire, Element]:
        """Answer the question for a key on the next connection: that one, and the question."""
        wire = self.accept()
        wire.welcome()
        question = wire.question()
        wire.answer(question, type, error)
        self._asking = wire
        return wire, question

    def receiving(self, sender: Wire, stanza: str) -> ServerWire:
        """The connection that a server opens for a stanza of its client, at its beginning."""
        sender.send(stanza)
        return self.accept()

    def answering(self) -> ServerWire:
        """The stream in clear over which a server answers: that on which it asked for the key, or another one."""
        asking = self._asking
        while asking is not None and not asking.has(f"{SERVER}iq") and not asking.has(RESULT):
            found = select.select([self.place.listening, asking.socket], [], [], 2 * Wire.patience_s)[0]
            if asking.socket not in found:
                break
            try:
                asking.read_more()
            except Ended:
                asking = None
        if asking is not None and (asking.has(f"{SERVER}iq") or asking.has(RESULT)):
            wire = asking
        else:
            wire = self.accept()
            wire.welcome()
        if not wire.has(f"{SERVER}iq"):
            wire.accept_key()
        return wire

    def _known(self, wire: ServerWire) -> ServerWire:
        self._wires.append(wire)
        return wire


def conditions_of(error: Element) -> list[str]:
    """Of an element of dialback with type 'error'."""
    prefix = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
    found = [each.tag.removeprefix(prefix) for each in error.iter() if each.tag.startswith(prefix)]
    return [name for name in found if name != "text"]
