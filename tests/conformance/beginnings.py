"""How a test and a server meet: the usual beginnings of the streams between them."""

from __future__ import annotations

from tests.conformance.federation import ERRORS, KEY, STARTTLS, Peer, ServerWire
from tests.conformance.site import Client, Site
from tests.conformance.wire import SASL, STREAMS, Element

PING = "<ping xmlns='urn:xmpp:ping'/>"


def called(site: Site) -> tuple[Client, ServerWire]:
    """A client that has written to somebody of the peer, and the connection that its server opens for that."""
    peer, client = site.peer(), site.client()
    return client, peer.receiving(client, f"<message to='juliet@{peer.name}' id='m1'><body>hi</body></message>")


def open_to(site: Site) -> tuple[Client, ServerWire]:
    """The same, with the stream open, its first message read."""
    client, wire = called(site)
    wire.welcome()
    wire.accept_key()
    assert wire.stanza().get("id") == "m1"
    return client, wire


def ids(stanzas: list[Element]) -> list[str | None]:
    """Of these."""
    return [stanza.get("id") for stanza in stanzas]


def let_in(wire: ServerWire, peer: Peer, site: Site) -> bool:
    """Whether a stanza of the peer is taken."""
    wire.send(f"<message type='headline' from='juliet@{peer.name}' to='nobody@{site.secured.name}'/>")
    wire.send(f"<db:verify from='{peer.name}' to='{site.secured.name}' id='x'>{KEY}</db:verify>")
    return wire.read().tag != f"{STREAMS}error"


def answering(site: Site) -> tuple[Peer, ServerWire]:
    """The connection that the server opens to answer the peer, at its beginning."""
    peer = site.peer()
    wire = peer.speaking(site.secured)
    wire.send(f"<iq type='get' from='juliet@{peer.name}/x' to='{site.secured.name}' id='p1'>{PING}</iq>")
    return peer, peer.accept()


def secured(site: Site, features: str) -> tuple[Peer, ServerWire, Element]:
    """The same under TLS, where this is on offer; and the header that came first there."""
    peer, wire = answering(site)
    wire.welcome(STARTTLS)
    wire.accept_tls()
    return peer, wire, wire.welcome_anew(features)


def verified(peer: Peer) -> None:
    """Answer the question for the peer's key under TLS: it is valid."""
    asking = peer.accept()
    asking.welcome(STARTTLS)
    asking.accept_tls()
    asking.welcome_anew(ERRORS)
    asking.answer(asking.question(), "valid")


def condition(failure: Element) -> str:
    """Of a SASL failure."""
    assert failure.tag == f"{SASL}failure"
    return failure[0].tag.removeprefix(SASL)
