"""RFC 6120 sections 4.8, 4.9 and 11: namespaces, stream errors and what XML may stand in a stream."""

from __future__ import annotations

import pytest

from tests.conformance.rules import core, not_kept
from tests.conformance.site import PASSWORD, Client, Site
from tests.conformance.wire import CLIENT, LANG, STREAM_ERRORS, STREAMS, Ended, Wire

OPENING = "<stream:stream to='{domain}' version='1.0' xmlns='{content}' xmlns:{prefix}='{streams}' {extra}>"
STREAMS_NS = "http://etherx.jabber.org/streams"


def refused_header(site: Site, **changes: str) -> Wire:
    """A connection that has sent an unusual header."""
    wire = site.wire()
    parts = {"domain": site.here.name, "content": "jabber:client", "prefix": "stream", "streams": STREAMS_NS}
    wire.send(OPENING.format(**{**parts, "extra": "", **changes}))
    return wire


def refused(site: Site, data: str | bytes) -> str:
    """The stream error that a bound client gets for this."""
    client = site.client()
    client.send(data)
    return client.stream_error()


@core("4.8.1", "MUST", "A stream header in another namespace ends with a stream error.")
@core("4.8.1", "SHOULD", "That error is invalid-namespace.")
@core("4.9.1.2", "MUST", "An error in the initial header is sent inside an opened and closed stream.")
def test_stream_namespace(site: Site) -> None:
    wire = refused_header(site, streams="http://wrong.example.org/")
    assert wire.stream_error() == "invalid-namespace"


@core("4.8.2", "MUST", "The content namespace is the same for both streams, and not the stream namespace.")
@core("4.8.3", "MUST", "Servers support 'jabber:client' as the default content namespace.")
def test_content_namespace(site: Site) -> None:
    wire = site.wire()
    wire.open(site.here.name)
    assert wire.prefixes[""] == "jabber:client"


@core("4.8.3", "MUST", "A stream of a content namespace that is not supported is closed with invalid-namespace.")
def test_unknown_content_namespace(site: Site) -> None:
    assert refused_header(site, content="urn:example:content").stream_error() == "invalid-namespace"


@core("4.8.3", "MUST", "A first-level child of an unsupported content namespace closes the stream: invalid-namespace.")
def test_stanza_of_another_content_namespace(site: Site) -> None:
    receiver = site.online()
    assert refused(site, f"<message xmlns='jabber:server' to='{receiver.jid}'/>") == "invalid-namespace"


@core("4.8.3", "MUST NOT", "A server sends a client no stanzas of 'jabber:server'.")
def test_namespace_of_what_comes_from_afar(site: Site) -> None:
    receiver, sender = site.online(), site.client(site.there)
    sender.send(f"<message to='{receiver.jid}' id='x'><body>hi</body></message>")
    message = receiver.until(lambda s: s.get("id") == "x")[-1]
    assert message.tag == f"{CLIENT}message"
    assert message.findtext(f"{CLIENT}body") == "hi"


@core("4.8.4", "MUST NOT", "First-level data of another namespace is not routed to others.")
@core("4.8.4", "MUST", "It is ignored, or closes the stream.")
@core("4.8.4", "SHOULD", "The error that closes the stream is unsupported-stanza-type.")
def test_arbitrary_element(site: Site) -> None:
    receiver, sender = site.online(), site.client()
    sender.send(f"<data xmlns='urn:example:data' to='{receiver.jid}'/>")
    try:
        sender.sync()
    except Ended:
        assert STREAM_ERRORS[1:-1].encode() in sender.raw
        assert b"unsupported-stanza-type" in sender.raw
    assert not site.online().mark(receiver)


@core("4.8.5", "MUST", "A stream prefix that is not accepted closes the stream: bad-namespace-prefix or bad-format.")
def test_stream_prefix(site: Site) -> None:
    wire = site.wire()
    wire.send(f"<s:stream to='{site.here.name}' version='1.0' xmlns='jabber:client' xmlns:s='{STREAMS_NS}'>")
    wire.header()
    if wire.read().tag.endswith("}error"):
        assert b"bad-namespace-prefix" in wire.raw or b"bad-format" in wire.raw


@core("4.8.5", "MUST NOT", "Elements of the content namespace are sent without a prefix.")
@core("4.8.5", "MUST NOT", "What a client sends with such a prefix is not delivered without correcting it.")
@core("4.8.5", "MUST", "Namespaces are properly declared in what is delivered.")
@pytest.mark.parametrize("remote", [False, True])
def test_prefixed_stanza(site: Site, remote: bool) -> None:
    receiver, sender = site.online(site.there if remote else site.here), site.client()
    sender.send(f"<c:message xmlns:c='jabber:client' to='{receiver.jid}' id='x'><c:body>hi</c:body></c:message>")
    try:
        sender.sync()
    except Ended:
        return  # refused, as section 4.8.5 prefers
    receiver.raw = b""
    assert receiver.until(lambda s: s.get("id") == "x")[-1].findtext(f"{CLIENT}body") == "hi"
    assert b":message" not in receiver.raw


@core(
    "4.8.5", "SHOULD", "A namespace for extended content that is declared in the header is refused: invalid-namespace."
)
@not_kept("the declaration is taken, and made again in each stanza that needs it, so that nothing is lost")
def test_declaration_in_the_header(site: Site) -> None:
    wire = refused_header(site, extra="xmlns:ext='urn:example:ext'")
    wire.header()
    assert wire.read().tag == f"{STREAMS}error"
    assert b"invalid-namespace" in wire.raw


@core("4.8.5", "MUST", "Namespaces that were declared in the header are declared again where they are delivered.")
@pytest.mark.parametrize("remote", [False, True])
def test_delivery_of_a_prefix_of_the_header(site: Site, remote: bool) -> None:
    receiver, wire = site.online(site.there if remote else site.here), site.wire()
    wire.open(site.here.name)
    assert wire.plain(site.account(), PASSWORD).tag.endswith("success")
    try:
        wire.open(site.here.name, extra="xmlns:ext='urn:example:ext'")
        wire.bind()
        wire.send(f"<message to='{receiver.jid}' id='x'><ext:thing/></message>")
        message = receiver.until(lambda s: s.get("id") == "x")[-1]
        assert message.find("{urn:example:ext}thing") is not None
    except Ended:
        assert b"invalid-namespace" in wire.raw


@core("4.9.1.1", "MUST", "A stream error is sent and the stream is closed at once.")
@core("4.9.2", "MUST", "The condition is one that is defined, in its namespace; so is the text.")
@core("4.9.2", "SHOULD", "The text of a stream error has an xml:lang.")
def test_shape_of_a_stream_error(site: Site) -> None:
    client = site.client()
    client.send("<message><body></message>")
    client.stream_error()
    assert all(child.tag.startswith("{urn:ietf:params:xml:ns:xmpp-streams}") for child in client.last_error)
    for text in client.last_error.iter(f"{STREAM_ERRORS}text"):
        assert text.get(LANG)


@core("4.9.1.3", "MUST", "For an unknown host the 'from' of the header is a domain of the server, or empty.")
def test_from_for_an_unknown_host(site: Site) -> None:
    wire = site.wire()
    wire.say_header("nowhere.invalid")
    assert wire.header().get("from") in (site.here.name, site.secured.name, "", None)


@core("4.9.3.6", "defined", "A header to a domain that is not served ends with host-unknown.")
def test_unknown_host(site: Site) -> None:
    wire = site.wire()
    wire.say_header("nowhere.invalid")
    assert wire.stream_error() == "host-unknown"


@core("4.9.3.9", "defined", "A 'from' that is not the client's ends with invalid-from, or is overridden.")
@pytest.mark.parametrize("claimed", ["{other}", "{domain}"])
def test_from_of_another(site: Site, claimed: str) -> None:
    other, sender = site.online(), site.client()
    claimed = claimed.format(other=other.jid, domain=site.here.name)
    sender.send(f"<message from='{claimed}' to='{other.jid}' id='x'/>")
    try:
        sender.sync()
    except Ended:
        assert b"invalid-from" in sender.raw
        assert not [s for s in site.online().mark(other) if s.get("id") == "x"]
    else:
        assert other.until(lambda s: s.get("id") == "x")[-1].get("from") == sender.jid


@core("4.9.3.12", "MUST NOT", "What is sent before the login is not processed before not-authorized is sent.")
@pytest.mark.parametrize("stanza", ["<presence/>", "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"])
def test_data_before_the_login(site: Site, stanza: str) -> None:
    wire = site.wire()
    wire.open(site.here.name)
    wire.send(stanza)
    try:
        answer = wire.read()
    except Ended:
        answer = None
    if answer is not None and answer.tag == f"{CLIENT}iq":
        assert answer.get("type") == "error"  # an iq may be for a service before the login: XEP-0077
    else:
        assert b"not-authorized" in wire.raw


@core("11.3", "MUST NOT", "Data that is not well-formed is not accepted.")
@core("11.3", "MUST", "The stream that it came over is closed with not-well-formed.")
@pytest.mark.parametrize(
    "data", ["<message><body></message>", "<message to=x/>", "<message to='a' to='b'/>", "<iq<", "<a>&#0;</a>"]
)
def test_well_formedness(site: Site, data: str) -> None:
    assert refused(site, data) in ("not-well-formed", "bad-format")


@core("11.3", "MUST NOT", "Data that is not namespace-well-formed is not accepted.")
@core("11.3", "MUST", "It gets not-well-formed (or a not-acceptable stanza error).")
def test_namespace_well_formedness(site: Site) -> None:
    assert refused(site, "<message><foo:bar/></message>") in ("not-well-formed", "bad-format")


RESTRICTED = {
    "comment": "<message><!-- no --></message>",
    "processing-instruction": "<message><?no no?></message>",
    "entity": "<message><body>&no;</body></message>",
}


@core("11.1", "MUST", "Comments, processing instructions and entity references close the stream.")
@pytest.mark.parametrize("what", RESTRICTED)
def test_restricted_xml_closes_the_stream(site: Site, what: str) -> None:
    assert refused(site, RESTRICTED[what])


@core("11.1", "SHOULD", "The error for them is restricted-xml.")
@pytest.mark.parametrize("what", RESTRICTED)
def test_restricted_xml(site: Site, what: str) -> None:
    assert refused(site, RESTRICTED[what]) == "restricted-xml"


@core("11.1", "MUST", "A DTD closes the stream, also where it stands before the stream header.")
def test_doctype(site: Site) -> None:
    wire = site.wire()
    wire.send("<?xml version='1.0'?><!DOCTYPE stream [<!ENTITY a 'aaaa'>]>")
    wire.say_header(site.here.name)
    assert wire.stream_error() in ("restricted-xml", "not-well-formed", "bad-format")


@core("11.1", "MUST NOT", "Predefined entities are no reason for an error.")
@core("11.3", "MUST NOT", "What a server generates is well-formed and namespace-well-formed.")
def test_predefined_entities(site: Site) -> None:
    receiver, sender = site.online(site.there), site.client()
    sender.send(f"<message to='{receiver.jid}' id='x'><body>&lt;&amp;&gt;&quot;&apos;&#169;</body></message>")
    assert receiver.until(lambda s: s.get("id") == "x")[-1].findtext(f"{CLIENT}body") == "<&>\"'©"


@core("11.5", "MUST", "standalone='no' in the XML declaration is ignored or closes the stream.")
def test_standalone(site: Site) -> None:
    wire = site.wire()
    wire.send(f"<?xml version='1.0' standalone='no'?><stream:stream to='{site.here.name}' version='1.0' ")
    wire.send(f"xmlns='jabber:client' xmlns:stream='{STREAMS_NS}'>")
    assert wire.header() is not None


def declared_encoding(site: Site) -> str:
    """The stream error for a header that says it is UTF-16."""
    wire = site.wire()
    wire.send(f"<?xml version='1.0' encoding='UTF-16'?><stream:stream to='{site.here.name}' version='1.0' ")
    wire.send(f"xmlns='jabber:client' xmlns:stream='{STREAMS_NS}'>")
    return wire.stream_error()


@core("11.6", "MUST", "Data in another encoding than UTF-8 closes the stream.")
def test_declared_encoding_closes_the_stream(site: Site) -> None:
    assert declared_encoding(site)


@core("11.6", "SHOULD", "The error for it is unsupported-encoding.")
def test_declared_encoding(site: Site) -> None:
    assert declared_encoding(site) == "unsupported-encoding"


@core("11.6", "MUST", "Bytes that are not UTF-8 close the stream.")
def test_broken_utf8(site: Site) -> None:
    assert refused(site, b"<message><body>\xff\xfe</body></message>") in (
        "unsupported-encoding", "not-well-formed", "bad-format",
    )  # fmt: skip


@core("11.6", "MUST", "UTF-8 is supported: characters of every plane arrive as they were sent.")
@core("11.6", "MUST", "U+FEFF inside the stream is a character, not a byte order mark.")
@core("11.6", "MUST NOT", "No byte order mark is sent.")
def test_utf8(site: Site) -> None:
    receiver, sender = site.online(site.there), site.client()
    text = "héllo \u4e16\u754c \U0001f339 a\ufeffb"
    sender.send(f"<message to='{receiver.jid}' id='x'><body>{text}</body></message>")
    assert receiver.until(lambda s: s.get("id") == "x")[-1].findtext(f"{CLIENT}body") == text
    wire = site.wire()
    wire.open(site.here.name)
    assert not wire.raw.startswith(b"\xef\xbb\xbf")


def sent_with_size(client: Client, to: str, size: int) -> None:
    """A message of that many bytes."""
    head, tail = f"<message to='{to}' id='big'><body>", "</body></message>"
    client.send(head + "x" * (size - len(head) - len(tail)) + tail)


@core("13.12", "MUST NOT", "The limit of a stanza's size is not below 10,000 bytes.")
def test_stanza_of_10000_bytes(site: Site) -> None:
    receiver, sender = site.online(site.there), site.client()
    sent_with_size(sender, receiver.jid, 10_000)
    receiver.until(lambda s: s.get("id") == "big")


@core("13.12", "MUST", "A stanza over the limit gets policy-violation, as a stanza error or a stream error.")
@core("4.9.3.14", "defined", "Who breaks a local policy (a size limit) gets policy-violation.")
def test_stanza_that_is_too_large(site: Site) -> None:
    receiver, sender = site.online(), site.client()
    sent_with_size(sender, receiver.jid, 2_000_000)
    assert sender.stream_error() == "policy-violation"
    assert not [s for s in site.online().mark(receiver) if s.get("id") == "big"]


@core("8", "MUST NOT", "A partial stanza is not processed before its closing tag.")
def test_partial_stanza(site: Site) -> None:
    receiver, sender = site.online(), site.client()
    sender.send(f"<message to='{receiver.jid}' id='half'><body>not yet")
    assert not site.online().mark(receiver)
    sender.send("</body></message>")
    receiver.until(lambda s: s.get("id") == "half")
