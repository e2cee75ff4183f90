"""RFC 6120 sections 4.1 to 4.7: opening, restarting and closing a stream, and the attributes of its header."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.conformance.rules import core
from tests.conformance.site import PASSWORD, Site, new_name
from tests.conformance.wire import CLIENT, LANG, STREAMS, Ended, Silence, Wire


@core("4.1", "MUST", "The receiving entity negotiates a stream in the opposite direction, the response stream.")
@core("4.3.2", "MUST", "To a header of version 1.0 or more it sends <features/> after its own stream header.")
@core("4.5", "MUST", "A client may use the same TCP connection for both streams.")
def test_response_stream(site: Site) -> None:
    wire = site.wire()
    assert wire.open(site.here.name).tag == f"{STREAMS}stream"
    assert wire.features.tag == f"{STREAMS}features"


@core("4.3.2", "MUST", "Features are qualified by namespaces other than the stream's and the content namespace.")
def test_feature_namespaces(site: Site) -> None:
    wire, _ = site.authenticated()
    before = site.wire()
    before.open(site.here.name)
    for feature in (*wire.features, *before.features):
        assert not feature.tag.startswith((STREAMS, CLIENT))


@core("4.3.3", "MUST NOT", "A restart sends no closing tag and does not end the TCP connection.")
@core("4.3.3", "MUST", "A restarted stream has a new stream id.")
@core("4.3.4", "MUST", "After a restart an updated list of features is sent.")
def test_restart(site: Site) -> None:
    wire = site.wire()
    first = wire.open(site.here.name)
    offered = [feature.tag for feature in wire.features]
    name = new_name()
    wire.register(name, PASSWORD)
    assert wire.plain(name, PASSWORD).tag.endswith("success")
    assert not wire.is_closed
    second = wire.open(site.here.name)
    assert second.get("id") not in (None, "", first.get("id"))
    assert [feature.tag for feature in wire.features] != offered


early = pytest.mark.parametrize("logged_in", [False, True], ids=["before-login", "before-bind"])


def send_early(site: Site, to: str, logged_in: bool) -> Wire:
    """A stream that is not negotiated to its end, on which a message was sent."""
    wire = site.authenticated()[0] if logged_in else site.wire()
    if not logged_in:
        wire.open(site.here.name)
    wire.send(f"<message to='{to}' id='early'><body>early</body></message>")
    return wire


@core("4.3.5", "MUST NOT", "Stanzas to others are not accepted before the negotiation is complete.")
@core("7.1", "MUST NOT", "A stanza to others before binding is not processed.")
@early
def test_early_stanza_is_not_accepted(site: Site, logged_in: bool) -> None:
    receiver = site.online()
    with suppress(Ended, Silence):
        send_early(site, receiver.jid, logged_in).read()
    assert not [s for s in site.online().mark(receiver) if s.get("id") == "early"]


@core("4.3.5", "MUST", "The stream of who sends a stanza before that is closed with not-authorized.")
@early
def test_early_stanza_closes_the_stream(site: Site, logged_in: bool) -> None:
    assert send_early(site, f"nobody@{site.here.name}", logged_in).stream_error() == "not-authorized"


@core("4.3.5", "MUST NOT", "After completion no further stream features are sent, unless empty ones.")
def test_no_features_after_binding(site: Site) -> None:
    client = site.online()
    assert client.raw.count(b"<stream:features") == 1
    client.sync()
    client.mark(client)
    assert client.raw.count(b"<stream:features") == 1


@core(
    "4.3.6", "MUST", "The client's bare JID is the authorization identity, or derived from the authentication identity."
)
@core("4.3.6", "MUST", "The resourcepart of its full JID is the one that was bound.")
@core("4.3.6", "MUST", "The resulting JID is in the canonical form of XMPP addresses.")
def test_address_of_a_client(site: Site) -> None:
    name = site.account()
    client = site.client(name=name.upper(), resource="Balcony")
    assert client.jid == f"{name}@{site.here.name}/Balcony"
    receiver = site.online()
    client.send(f"<message to='{receiver.jid}' id='x'/>")
    assert receiver.until(lambda s: s.get("id") == "x")[-1].get("from") == client.jid


@core("4.4", "defined", "Who receives a closing tag closes its own stream, and the connection ends.")
def test_closing(site: Site) -> None:
    client = site.client()
    client.send("</stream:stream>")
    assert client.expect_end() == []


@core("4.4", "MUST", "Who closes its stream waits for the other's closing tag before it ends the connection.")
def test_the_end_of_both_sides(site: Site) -> None:
    client = site.client()
    client.send("<message from='somebody@else.where'/>")
    with suppress(Ended):
        while not client.is_closed:
            client.read()
    assert client.is_closed
    client.send(f"<message to='{client.jid}'><body>{'on its way ' * 10_000}</body></message></stream:stream>")
    assert client.expect_eof(clean=True) == b""


@core("4.4", "defined", "What was sent before the closing tag is still processed.")
def test_data_before_the_end(site: Site) -> None:
    receiver, sender = site.online(), site.client()
    sender.send(f"<message to='{receiver.jid}' id='last'/></stream:stream>")
    receiver.until(lambda s: s.get("id") == "last")
    sender.expect_end()


@core("4.4", "defined", "A stream that ends without a closing tag is treated as closed.")
def test_connection_that_breaks(site: Site) -> None:
    user, contact = site.friends()
    user.close()
    contact.presence_of("unavailable", user.jid)


@core("4.6.1", "defined", "White space between stanzas (a keepalive) does no harm.")
def test_whitespace_keepalive(site: Site) -> None:
    client = site.client()
    client.send(" \n\t ")
    assert client.sync() == []


@core("4.7.1", "MUST", "The response header has a 'from', one of the server's domains.")
@core("4.7.3", "MUST", "The response header has an 'id'.")
@core("4.7.4", "MUST", "The response header has an xml:lang.")
def test_header_attributes(site: Site) -> None:
    header = site.wire().open(site.here.name)
    assert header.get("from") == site.here.name
    assert header.get("id")
    assert header.get(LANG)


@core("4.7.2", "MUST", "Where the client said 'from', the response header has a 'to' with that bare JID.")
def test_header_to(site: Site) -> None:
    jid = f"romeo@{site.here.name}"
    assert site.wire().open(site.here.name, extra=f"from='{jid}'").get("to") == jid


@core("4.7.2", "MUST NOT", "Where the client said no 'from', the response header has no 'to'.")
def test_header_without_to(site: Site) -> None:
    assert site.wire().open(site.here.name).get("to") is None


@core("4.7.2", "SHOULD", "A header without 'to' is accepted liberally, since older implementations send none.")
def test_missing_to(site: Site) -> None:
    assert site.wire().open(None).get("from") == site.here.name


@core("4.7.3", "MUST", "Stream ids are unique, unpredictable and never repeated.")
def test_stream_ids(site: Site) -> None:
    ids = {site.wire().open(site.here.name).get("id") or "" for _ in range(20)}
    assert len(ids) == 20
    assert min(map(len, ids)) >= 8


@core("4.7.3", "MUST", "An 'id' in the initial header is ignored.")
def test_id_of_the_client(site: Site) -> None:
    assert site.wire().open(site.here.name, extra="id='mine'").get("id") != "mine"


@core("4.7.4", "MUST", "Where the server does not support the client's language, xml:lang is its own default.")
def test_unsupported_language(site: Site) -> None:
    default = site.wire().open(site.here.name).get(LANG)
    assert site.wire().open(site.here.name, extra="xml:lang='tlh'").get(LANG) == default


@core("4.7.4", "SHOULD", "The stream's language is remembered, and added to stanzas that say none.")
@core("8.1.5", "SHOULD", "The client's server adds the stream's xml:lang to a stanza without one.")
def test_default_language(site: Site) -> None:
    receiver, sender = site.online(site.there), site.client(lang="de")
    sender.send(f"<message to='{receiver.jid}' id='x'><body>Hallo</body></message>")
    assert receiver.until(lambda s: s.get("id") == "x")[-1].get(LANG) == "de"


@core("4.7.4", "MUST NOT", "The xml:lang of a stanza is not modified or deleted when it is routed or delivered.")
@core("8.1.5", "MUST NOT", "The xml:lang of a stanza is not modified or deleted.")
@pytest.mark.parametrize("remote", [False, True])
def test_language_of_a_stanza(site: Site, remote: bool) -> None:
    receiver, sender = site.online(site.there if remote else site.here), site.client(lang="de")
    sender.send(f"<message to='{receiver.jid}' id='x' xml:lang='fr'><body>Salut</body></message>")
    assert receiver.until(lambda s: s.get("id") == "x")[-1].get(LANG) == "fr"


@core("4.7.5", "MUST", "The version of the response is the lower of both: 1.0 for a newer client.")
@core("4.7.5", "MUST", "Version numbers are compared as numbers; leading zeros are ignored.")
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.10", "01.0"])
def test_version(site: Site, version: str) -> None:
    assert site.wire().open(site.here.name, version=version).get("version") == "1.0"


@core("4.7.5", "MUST", "To a higher major version the server answers with its own.")
def test_major_version(site: Site) -> None:
    wire = site.wire()
    wire.say_header(site.here.name, version="2.0")
    assert wire.header().get("version") == "1.0"


@core("4.7.5", "SHOULD NOT", "To a header without a version the response header has none either.")
def test_no_version(site: Site) -> None:
    wire = site.wire()
    wire.say_header(site.here.name, version=None)
    assert wire.header().get("version") is None


@core("11.5", "SHOULD", "An XML declaration stands before the stream header, without a standalone declaration.")
def test_xml_declaration(site: Site) -> None:
    wire = site.wire()
    wire.open(site.here.name)
    assert wire.raw.startswith((b"<?xml version='1.0'", b'<?xml version="1.0"'))
    assert b"standalone" not in wire.raw


@core("7.3.2", "MUST NOT", "After resource binding the stream is not restarted.")
def test_no_restart_after_binding(site: Site) -> None:
    client = site.client()
    opened = client.raw.count(b"<stream:stream")
    assert client.sync() == []
    assert client.raw.count(b"<stream:stream") == opened == 1
