"""RFC 6120 sections 5 and 13: STARTTLS."""

from __future__ import annotations

import hashlib

import pytest
from OpenSSL import SSL

from tests.conformance.rules import core
from tests.conformance.scram import Scram
from tests.conformance.site import PASSWORD, Site, new_name
from tests.conformance.wire import SASL, STREAMS, TLS, Wire, mechanisms

STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"


def opened(site: Site) -> Wire:
    """A stream to the server that wants TLS."""
    wire = site.wire(site.secured)
    wire.open(site.secured.name)
    return wire


def secure(site: Site) -> Wire:
    """The same, with the handshake done and before the restart."""
    wire = opened(site)
    wire.send(STARTTLS)
    assert wire.read().tag == f"{TLS}proceed"
    wire.start_tls(site.secured.ca_file, site.secured.name)
    return wire


@core("5.4.1", "MUST", "A server that supports TLS offers <starttls/>.")
@core("5.4.1", "MUST", "Where TLS is mandatory, <starttls/> contains <required/>.")
@core("5.3.1", "SHOULD NOT", "Where TLS is mandatory, nothing else is offered before it.")
@core("6.3.4", "MUST NOT", "A mechanism for which TLS is mandatory is not advertised before TLS.")
@core("13.8.3", "MUST NOT", "PLAIN is not offered on a stream that is not protected by TLS.")
@core("5.2", "MUST", "STARTTLS is supported.")
@core("13.4", "MUST", "TLS is supported.")
def test_offer(site: Site) -> None:
    features = opened(site).features
    assert [feature.tag for feature in features] == [f"{TLS}starttls"]
    assert features.find(f"{TLS}starttls/{TLS}required") is not None
    assert mechanisms(features) == []


@core("5.4.2.3", "MUST", "A server that proceeds says <proceed/>, and TLS begins right after it.")
@core("5.3.2", "MUST", "After TLS the stream restarts.")
@core("5.4.3.3", "MUST", "The new stream has a new id.")
@core("5.4.3.3", "MUST NOT", "STARTTLS is not offered again.")
@core("5.4.3.3", "SHOULD", "SASL is offered.")
@core("5.4.3.1", "MUST", "The server presents a certificate (which the client's checks accept).")
@core("5.4.3.1", "SHOULD", "The certificate is the one for the 'to' of the initial header.")
@core("5.4.3.1", "MUST NOT", "No XML is sent between <proceed/> and the end of the handshake.")
@core("6.4.1", "MUST", "The stream id after TLS is another than before.")
def test_success(site: Site) -> None:
    wire = opened(site)
    before = wire.header().get("id")
    wire.send(STARTTLS)
    assert wire.read().tag == f"{TLS}proceed"
    wire.start_tls(site.secured.ca_file, site.secured.name)
    assert wire.open(site.secured.name).get("id") not in (None, "", before)
    assert wire.features.find(f"{TLS}starttls") is None
    assert mechanisms(wire.features)


@core("5.3.3", "MUST NOT", "No white space is sent as a separator during the STARTTLS negotiation.")
def test_no_white_space(site: Site) -> None:
    wire = opened(site)
    wire.raw = b""
    wire.send(STARTTLS)
    wire.read()
    assert wire.raw == wire.raw.strip()


@core("5.4.2.1", "MUST", "<starttls/> is answered with <proceed/> or <failure/>.")
@core("5.4.2.2", "MUST", "In the failure case <failure/> is sent, the stream is closed and the connection ended.")
def test_failure(site: Site) -> None:
    wire = site.wire()
    wire.open(site.here.name)
    if wire.features.find(f"{TLS}starttls") is not None:
        site.lacks("this server offers TLS here, so there is no failure to see")
    wire.send(STARTTLS)
    assert wire.read().tag == f"{TLS}failure"
    assert wire.expect_end() == []


@core("5.4.3.2", "MUST", "Where the handshake fails, the connection is ended.")
@core("5.4.3.2", "MUST NOT", "No closing tag is sent before that.")
def test_broken_handshake(site: Site) -> None:
    wire = opened(site)
    wire.send(STARTTLS)
    wire.read()
    wire.send(b"this is no TLS record at all, only a few words in the clear\n")
    assert b"</stream" not in wire.expect_eof()


@core("5.4.3.3", "MUST", "What came before TLS is discarded: what was sent after <starttls/> is never executed.")
def test_injected_commands(site: Site) -> None:
    wire = opened(site)
    wire.send(
        STARTTLS + "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1hLHI9Yg==</auth>"
    )
    answer = wire.read()
    if answer.tag == f"{TLS}proceed":
        try:
            wire.start_tls(site.secured.ca_file, site.secured.name)
            wire.open(site.secured.name)
        except OSError:
            return  # what was injected has spoilt the handshake, and the connection is over
        assert wire.features.tag == f"{STREAMS}features"
    else:
        assert answer.tag == f"{STREAMS}error"


@core("5.3.4", "MUST", "TLS comes before SASL: a login before the mandatory TLS is refused.")
def test_login_before_tls(site: Site) -> None:
    wire = opened(site)
    assert wire.plain("romeo", PASSWORD).tag in (f"{SASL}failure", f"{STREAMS}error")


@core("5.4.2.2", "defined", "A stream that was secured is not secured again: <starttls/> is refused.")
def test_second_starttls(site: Site) -> None:
    wire = secure(site)
    wire.open(site.secured.name)
    wire.send(STARTTLS)
    assert wire.read().tag in (f"{TLS}failure", f"{STREAMS}error")


@core("13.8.1", "MUST", "SCRAM-SHA-1 is supported.")
@core("13.8.3", "MUST", "TLS with SCRAM-SHA-1 is supported.")
def test_scram_over_tls(site: Site) -> None:
    wire, name = secure(site), new_name()
    wire.open(site.secured.name)
    wire.register(name, PASSWORD)
    assert "SCRAM-SHA-1" in mechanisms(wire.features)
    assert Scram("sha1", name, PASSWORD).login(wire, "SCRAM-SHA-1").tag == f"{SASL}success"


@core("13.8.1", "MUST", "SCRAM-SHA-1-PLUS is supported.")
@core("13.9.4", "SHOULD", "The channel binding variant of SCRAM is preferred: it stands first in the offer.")
def test_scram_plus(site: Site) -> None:
    wire, name = secure(site), new_name()
    wire.open(site.secured.name)
    wire.register(name, PASSWORD)
    offered = mechanisms(wire.features)
    assert "SCRAM-SHA-1-PLUS" in offered
    assert offered.index("SCRAM-SHA-1-PLUS") < offered.index("SCRAM-SHA-1")
    end_point = hashlib.sha256(wire.tls.getpeercert(binary_form=True) or b"").digest()
    login = Scram("sha1", name, PASSWORD, ("tls-server-end-point", end_point))
    assert login.login(wire, "SCRAM-SHA-1-PLUS").tag == f"{SASL}success"


@core("6.3.3", "SHOULD", "Where weaker mechanisms are offered too, the strongest stands first.")
def test_order_of_mechanisms(site: Site) -> None:
    wire = secure(site)
    wire.open(site.secured.name)
    offered = mechanisms(wire.features)
    assert "PLAIN" not in offered[:1]


@core("4.4", "MUST", "Who closes a TLS stream sends close_notify and waits for the answer.")
def test_end_of_tls(site: Site) -> None:
    wire = secure(site)
    wire.open(site.secured.name)
    wire.send("</stream:stream>")
    while not wire.is_closed:
        wire.read_more()
    assert wire.tls.recv(1) == b""  # close_notify: an end without one is an error here
    assert wire.tls.unwrap().recv(1) == b""  # and ours was waited for


@core("5.3.5", "MUST", "An attempt at TLS renegotiation ends the connection.")
def test_renegotiation(site: Site) -> None:
    wire = opened(site)
    wire.send(STARTTLS)
    assert wire.read().tag == f"{TLS}proceed"
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)  # TLS 1.3 has none
    wire.socket.settimeout(None)
    connection = SSL.Connection(context, wire.socket)
    connection.set_connect_state()
    connection.do_handshake()
    assert connection.renegotiate()
    with pytest.raises(SSL.Error):
        connection.do_handshake()
    wire.socket.settimeout(wire.patience_s)
    wire.expect_eof()


@core("13.9.5", "MUST NOT", "SSL 2.0 (and 3.0) are not offered: the handshake yields TLS 1.2 or later.")
def test_tls_version(site: Site) -> None:
    assert secure(site).tls.version() in ("TLSv1.2", "TLSv1.3")


@core("6.4.6", "SHOULD", "A login as somebody else than the 'from' of the protected header is refused.")
@pytest.mark.parametrize("own", [True, False], ids=["own", "other"])
def test_from_of_the_header(site: Site, own: bool) -> None:
    wire, name = secure(site), new_name()
    said = name if own else "somebody"
    wire.open(site.secured.name, extra=f"from='{said}@{site.secured.name}'")
    wire.register(name, PASSWORD)
    answer = Scram("sha1", name, PASSWORD).login(wire, "SCRAM-SHA-1")
    assert (answer.tag == f"{SASL}success") == own
