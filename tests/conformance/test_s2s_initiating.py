"""RFC 6120 sections 4, 8 and 10 between servers: the streams that a server opens, and what it sends over them."""

from __future__ import annotations

from tests.conformance.beginnings import called, ids, open_to
from tests.conformance.federation import ERRORS, RESULT
from tests.conformance.rules import core
from tests.conformance.site import Site
from tests.conformance.wire import LANG, SERVER, error_of


@core("4.7.1", "defined", "A server's own initial header has a 'from', one of its domains; under TLS it has to.")
@core("4.7.2", "MUST", "A server's own initial header has a 'to', the other's domain.")
@core("4.7.5", "MUST", "A server's own initial header has the version that it speaks.")
@core("4.7.4", "SHOULD", "A server's own initial header has an xml:lang.")
def test_initial_header(site: Site) -> None:
    _, wire = called(site)
    header = wire.header()
    assert header.get("from") == site.here.name
    assert header.get("to", "").endswith(".verona.lit")
    assert header.get("version") == "1.0"
    assert header.get(LANG)


@core("4.8.3", "MUST", "Between servers the content namespace is 'jabber:server', in the server's own header too.")
def test_content_namespace_of_the_initial_header(site: Site) -> None:
    _, wire = called(site)
    wire.header()
    assert wire.prefixes[""] == "jabber:server"


@core("4.8.3", "MUST NOT", "A server sends another one no stanzas of 'jabber:client'.")
@core("8.1.2.2", "MUST", "What a server sends to another one has the 'from' of its client, in its own domain.")
@core("8.1.1.2", "MUST", "What a server sends to another one has a 'to' in the domain of that one.")
@core("10.4", "SHOULD", "A stanza to a remote domain is sent over a stream to that domain.")
def test_message_of_a_client(site: Site) -> None:
    client, wire = called(site)
    wire.welcome()
    wire.accept_key()
    message = wire.stanza()
    assert message.tag == f"{SERVER}message"
    assert message.findtext(f"{SERVER}body") == "hi"
    assert message.get("from") == client.jid
    assert message.get("to", "").startswith("juliet@p")


@core("4.3.5", "MUST NOT", "A server sends no stanzas before the negotiation of its own stream is complete.")
def test_no_early_stanza(site: Site) -> None:
    client, wire = called(site)
    wire.welcome()
    key = wire.read()
    assert key.tag == RESULT
    client.sync()
    assert b"<message" not in wire.raw
    wire.answer(key, "valid")
    assert wire.stanza().get("id") == "m1"


@core("10.1", "MUST", "What a client sends to another domain leaves in the order in which it came.")
def test_order(site: Site) -> None:
    client, wire = open_to(site)
    to = wire.header().get("to")
    client.send("".join(f"<message to='juliet@{to}' id='{number}'/>" for number in range(200)))
    assert [wire.stanza().get("id") for _ in range(200)] == [str(number) for number in range(200)]


@core("10.1", "MUST", "Further stanzas for the same domain use the stream that is open.")
def test_one_stream(site: Site) -> None:
    client, wire = open_to(site)
    to = wire.header().get("to")
    client.send(f"<message to='nurse@{to}' id='m2'/>")
    assert wire.stanza().get("id") == "m2"


@core("10.4.3", "MUST", "What cannot be sent, since the other server refuses the stream, comes back as an error.")
def test_stream_that_is_refused(site: Site) -> None:
    assert _what_host_unknown_comes_to(site)


@core("8.3.3.16", "defined", "Where the other server answers host-unknown, the error is remote-server-not-found.")
def test_domain_that_its_server_does_not_know(site: Site) -> None:
    assert _what_host_unknown_comes_to(site) == "remote-server-not-found"


def _what_host_unknown_comes_to(site: Site) -> str:
    client, wire = called(site)
    wire.header()
    wire.say_header(site.here.name, extra="id='1'")
    wire.send(
        "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    )
    return error_of(client.until(lambda stanza: stanza.get("id") == "m1")[-1])[1]


@core("4.9.1.1", "MUST", "A stream error of the other server ends the stream: the server closes its side too.")
def test_error_of_the_peer(site: Site) -> None:
    _, wire = open_to(site)
    wire.send(
        "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    )
    wire.expect_end()


@core("4.4", "defined", "Where the other server closes its stream, the server closes its own one too.")
def test_end_of_an_outgoing_stream(site: Site) -> None:
    _, wire = open_to(site)
    wire.send("</stream:stream>")
    wire.expect_end()


@core("4.5", "defined", "Stanzas go in one direction over a stream: those that come over the server's own are refused.")
def test_stanza_on_the_wrong_stream(site: Site) -> None:
    _, wire = open_to(site)
    receiver = site.online()
    wire.send(
        f"<message from='juliet@{wire.header().get('to')}' to='{receiver.jid}' id='wrong'><body>x</body></message>"
    )
    assert "wrong" not in ids(receiver.sync())


@core("4.3.2", "defined", "Features that a server does not know are no obstacle.")
def test_unknown_feature(site: Site) -> None:
    _, wire = called(site)
    wire.welcome(f"{ERRORS}<future xmlns='urn:example:future'/>")
    wire.accept_key()
    assert wire.stanza().get("id") == "m1"
