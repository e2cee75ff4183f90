"""XEP-0288: streams between servers that carry stanzas both ways."""

from __future__ import annotations

from tests.conformance.beginnings import PING, answering
from tests.conformance.federation import Peer, ServerWire
from tests.conformance.rules import bidi
from tests.conformance.site import Site
from tests.conformance.wire import SASL, SERVER


def both_ways(site: Site) -> tuple[Peer, ServerWire]:
    """A stream over which the server may send, too; it is under TLS, and not authenticated yet."""
    peer = site.peer()
    wire = peer.opened(site.secured)
    if wire.features.find("{urn:xmpp:features:bidi}bidi") is None:
        site.lacks("this server offers no streams for both ways")
    wire.send("<bidi xmlns='urn:xmpp:bidi'/>")
    return peer, wire


@bidi("2.2", "defined", "After <bidi/> and a login the server answers over the stream on which it was asked.")
@bidi("2.1", "MUST", "<bidi/> comes after TLS.")
@bidi("2.2", "SHOULD", "<bidi/> comes before the login.")
def test_answer_over_the_same_stream(site: Site) -> None:
    peer, wire = both_ways(site)
    assert wire.log_in().tag == f"{SASL}success"
    wire.open(site.secured.name)
    wire.send(f"<iq type='get' from='juliet@{peer.name}/x' to='{site.secured.name}' id='p1'>{PING}</iq>")
    assert wire.stanza().get("id") == "p1"


@bidi("2.2", "MUST NOT", "Nothing is sent over such a stream to a peer that has not proved its domain.")
def test_nothing_before_the_login(site: Site) -> None:
    peer, wire = both_ways(site)
    other = peer.speaking(site.secured)
    other.send(f"<iq type='get' from='juliet@{peer.name}/x' to='{site.secured.name}' id='p1'>{PING}</iq>")
    assert peer.accept()  # the answer has to go over a stream of the server's own
    assert not wire.has(f"{SERVER}iq")
    assert b"<iq" not in wire.raw


@bidi("2.2", "defined", "Where <bidi/> was not sent, nothing comes back over the stream.")
def test_one_way_without_the_request(site: Site) -> None:
    _, wire = answering(site)
    assert wire.header().get("to")
