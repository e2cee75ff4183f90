"""RFC 6120 sections 8 and 10 between servers: the answers to another server's stanzas."""

from __future__ import annotations

from tests.conformance.beginnings import PING
from tests.conformance.federation import ServerWire
from tests.conformance.rules import core
from tests.conformance.site import Site
from tests.conformance.wire import SERVER, error_of


def answered(site: Site, stanza: str) -> tuple[ServerWire, str]:
    """The stream over which the answer to this stanza comes, and the peer's domain."""
    peer = site.peer()
    wire = peer.speaking(site.here)
    wire.send(stanza.format(peer=peer.name, here=site.here.name))
    return peer.answering(), peer.name


@core("4.5", "defined", "Answers to another server's stanzas go over a stream that the server opens itself.")
@core("8.2.3", "MUST", "An iq of another server is answered, with its id, by result or error.")
@core("8.1.3", "MUST", "The answer has the id of the request.")
@core("8.1.2.2", "MUST", "The answer of a server itself has its domain as 'from'.")
@core("10.5.1", "MUST", "A stanza to the bare domain is handled by the server.")
def test_ping(site: Site) -> None:
    wire, name = answered(site, f"<iq type='get' from='juliet@{{peer}}/x' to='{{here}}' id='p1'>{PING}</iq>")
    answer = wire.stanza()
    assert (answer.tag, answer.get("type"), answer.get("id")) == (f"{SERVER}iq", "result", "p1")
    assert (answer.get("from"), answer.get("to")) == (site.here.name, f"juliet@{name}/x")


@core("8.3.1", "MUST", "An error goes to who sent the stanza, with its id and type 'error'.")
@core(
    "10.5.3.1", "MUST", "An iq of another server for an account that does not exist is answered: service-unavailable."
)
def test_iq_for_nobody(site: Site) -> None:
    wire, _ = answered(
        site, "<iq type='get' from='juliet@{peer}/x' to='nobody@{here}' id='n1'><query xmlns='urn:example:q'/></iq>"
    )
    answer = wire.stanza()
    assert answer.get("id") == "n1"
    assert error_of(answer)[1] == "service-unavailable"


@core("8.3.1", "MUST NOT", "An error of another server is not answered with an error.")
def test_error_for_nobody(site: Site) -> None:
    error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    wire, _ = answered(
        site,
        f"<iq type='error' from='juliet@{{peer}}/x' to='nobody@{{here}}' id='e1'>{error}</iq>"
        f"<message type='error' from='juliet@{{peer}}/x' to='nobody@{{here}}' id='e2'>{error}</message>"
        f"<iq type='get' from='juliet@{{peer}}/x' to='{{here}}' id='p1'>{PING}</iq>",
    )
    assert wire.stanza().get("id") == "p1"


@core("8.2.3", "MUST", "An iq of another server whose type is none of the four is answered: bad-request.")
def test_type_of_an_iq(site: Site) -> None:
    wire, _ = answered(site, f"<iq type='maybe' from='juliet@{{peer}}/x' to='{{here}}' id='b1'>{PING}</iq>")
    assert error_of(wire.stanza())[1] == "bad-request"


@core("8.4", "MUST", "An iq of another server with an unknown payload is answered: service-unavailable or"
      " feature-not-implemented.")  # fmt: skip
def test_unknown_payload(site: Site) -> None:
    wire, _ = answered(
        site, "<iq type='get' from='juliet@{peer}/x' to='{here}' id='u1'><query xmlns='urn:example:unknown'/></iq>"
    )
    assert error_of(wire.stanza())[1] in ("service-unavailable", "feature-not-implemented")
