"""RFC 6120 sections 5 and 13 between servers: STARTTLS, on the streams that come and on those that a server opens."""

from __future__ import annotations

from contextlib import suppress

from tests.conformance.beginnings import answering, secured, verified
from tests.conformance.federation import ERRORS, EXTERNAL, RESULT, STARTTLS
from tests.conformance.rules import core, dialback, external
from tests.conformance.site import Site
from tests.conformance.wire import SASL, SERVER, STREAMS, TLS, Silence, mechanisms

# --- TLS on a stream that comes to the server


@core("5.3.1", "SHOULD NOT", "Where TLS is mandatory between servers, nothing else is offered before it.")
@core("5.4.1", "MUST", "Where TLS is mandatory between servers, <starttls/> contains <required/>.")
@core("6.3.4", "MUST NOT", "EXTERNAL is not offered before TLS.")
def test_offer(site: Site) -> None:
    wire = site.peer().dial(site.secured)
    wire.open(site.secured.name)
    assert wire.features.find(f"{TLS}starttls/{TLS}required") is not None
    assert mechanisms(wire.features) == []


@core("5.4.2.3", "MUST", "<starttls/> of a server is answered with <proceed/>, and TLS begins after it.")
@core("5.4.3.1", "MUST", "The server presents its certificate to another one, for the domain of the header.")
@core("5.4.3.3", "MUST", "Under TLS the stream of a server has a new id.")
@core("5.4.3.3", "MUST NOT", "Under TLS STARTTLS is not offered to a server again.")
@core("13.9.5", "MUST NOT", "SSL is not used between servers: the handshake yields TLS 1.2 or later.")
def test_tls(site: Site) -> None:
    peer = site.peer()
    wire = peer.dial(site.secured)
    before = wire.open(site.secured.name).get("id")
    wire.secure(site.secured)  # the certificate is checked
    header = wire.header()
    assert header.get("id") not in (None, "", before)
    assert (header.get("from"), header.get("to")) == (site.secured.name, peer.name)
    assert wire.features.find(f"{TLS}starttls") is None
    assert wire.tls.version() in ("TLSv1.2", "TLSv1.3")


@core("5.3.4", "MUST", "TLS comes before a login of a server.")
def test_login_before_tls(site: Site) -> None:
    wire = site.peer().dial(site.secured)
    wire.open(site.secured.name)
    assert wire.log_in().tag in (f"{SASL}failure", f"{STREAMS}error")


@dialback("2.5", "defined", "Where TLS is mandatory, a key in clear is refused, and the error is policy-violation.")
def test_key_before_tls(site: Site) -> None:
    peer = site.peer()
    wire = peer.dial(site.secured)
    wire.open(site.secured.name)
    wire.dial(site.secured.name)
    if peer.is_called_before(wire):
        verified(peer)
    answer = wire.read()
    assert answer.get("type") != "valid"
    assert "policy-violation" in [each.tag.rpartition("}")[2] for each in answer.iter()]


@core("4.3.5", "MUST", "Where TLS is mandatory, stanzas of a server in clear close the stream.")
def test_stanza_before_tls(site: Site) -> None:
    peer = site.peer()
    wire = peer.dial(site.secured)
    wire.open(site.secured.name)
    wire.send(f"<message from='juliet@{peer.name}' to='romeo@{site.secured.name}'/>")
    assert wire.read().tag == f"{STREAMS}error"


@core("5.4.3.2", "MUST", "Where a handshake between servers fails, the connection is ended.")
def test_broken_handshake(site: Site) -> None:
    wire = site.peer().dial(site.secured)
    wire.open(site.secured.name)
    wire.send(STARTTLS)
    wire.read()
    wire.send(b"this is no TLS record at all, only a few words in the clear\n")
    assert b"</stream" not in wire.expect_eof()


# --- TLS on a stream that the server opens


@core("5.4.2.1", "defined", "Where TLS is on offer, the server that wants it asks for it by <starttls/>.")
@core("5.4.3.3", "MUST", "Under TLS the server sends a new stream header.")
@core("4.7.1", "MUST", "The header under TLS has a 'from', too.")
@external("3", "defined", "The server presents its certificate to the other one.")
def test_starttls_of_the_server(site: Site) -> None:
    peer, wire, header = secured(site, ERRORS)
    assert (header.get("from"), header.get("to"), header.get("version")) == (site.secured.name, peer.name, "1.0")
    names = wire.tls.getpeercert() or {}
    assert ("DNS", site.secured.name) in names.get("subjectAltName", ())


@core("13.14", "SHOULD", "A server that wants TLS sends no stanza to one that does not offer it.")
def test_tls_that_is_stripped(site: Site) -> None:
    _, wire = answering(site)
    wire.welcome(ERRORS)
    with suppress(Silence):  # it may wait for an offer
        wire.expect_end()
    assert not wire.has(f"{SERVER}iq")


@core("5.4.2.2", "defined", "Where the other server refuses TLS, nothing goes on in clear.")
def test_tls_that_is_refused(site: Site) -> None:
    _, wire = answering(site)
    wire.welcome(STARTTLS)
    assert wire.read().tag == f"{TLS}starttls"
    wire.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>")
    wire.expect_end()
    assert not wire.has(f"{SERVER}iq")


@core(
    "5.4.3.3", "MUST", "What was on offer before TLS is forgotten: EXTERNAL is not used where it was offered only then."
)
def test_offer_from_before_tls(site: Site) -> None:
    _, wire = answering(site)
    wire.welcome(STARTTLS + EXTERNAL)
    wire.accept_tls()
    wire.welcome_anew(ERRORS)
    assert wire.read().tag == RESULT
