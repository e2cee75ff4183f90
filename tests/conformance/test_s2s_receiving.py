"""RFC 6120 sections 4, 8, 11 and 13.12 between servers: the streams that come, and whose stanzas they carry."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.conformance.beginnings import ids
from tests.conformance.federation import KEY, RESULT, STARTTLS
from tests.conformance.rules import core, limits
from tests.conformance.site import Site
from tests.conformance.wire import LANG, STREAM_ERRORS, STREAMS, TLS

LIMITS = "{urn:xmpp:stream-limits:0}"


@core("4.7.1", "MUST", "The response header to a server has a 'from', one of the server's domains.")
@core("4.7.2", "MUST", "The response header to a server has a 'to', its domain.")
@core("4.7.3", "MUST", "The response header to a server has an 'id'.")
@core("4.8.3", "MUST", "'jabber:server' is supported between servers.")
@core("4.3.2", "MUST", "To a server of version 1.0 it sends <features/>.")
def test_response_header(site: Site) -> None:
    peer = site.peer()
    wire = peer.dial(site.here)
    header = wire.open(site.here.name)
    assert header.get("from") == site.here.name
    assert header.get("to") == peer.name
    assert header.get("id")
    assert header.get("version") == "1.0"
    assert wire.prefixes[""] == "jabber:server"


@core("4.7.3", "MUST", "Ids of streams between servers are unique: dialback rests on that.")
def test_stream_ids(site: Site) -> None:
    peer = site.peer()
    ids = [peer.dial(site.here).open(site.here.name).get("id") for _ in range(10)]
    assert len(set(ids)) == 10


@core("4.8.3", "MUST", "A client's content namespace on a port for servers is closed with invalid-namespace.")
def test_stream_of_a_client(site: Site) -> None:
    wire = site.peer().dial(site.here)
    wire.declared = "xmlns='jabber:client'"
    wire.say_header(site.here.name)
    assert wire.stream_error() == "invalid-namespace"


@core("4.9.3.6", "defined", "A stream to a domain that is not served is closed with host-unknown.")
def test_unknown_domain(site: Site) -> None:
    wire = site.peer().dial(site.here)
    wire.say_header("nowhere.invalid")
    assert wire.stream_error() == "host-unknown"


@core("4.9.3.9", "defined", "A stream that says to come from a domain of the server's own is not taken.")
def test_own_domain(site: Site) -> None:
    wire = site.peer().dial(site.here)
    wire.declared = f"xmlns='jabber:server' xmlns:db='jabber:server:dialback' from='{site.here.name}'"
    wire.say_header(site.here.name)
    receiver = site.online()
    with suppress(OSError):  # it may have closed the stream
        wire.send(f"<db:result from='{site.here.name}' to='{site.here.name}'>{KEY}</db:result>")
        wire.send(f"<message from='romeo@{site.here.name}' to='{receiver.jid}' id='forged'/>")
    assert "forged" not in ids(receiver.sync())


@core("4.7.5", "MUST", "The response header to a server of a later version has the version that this server speaks.")
@core("4.9.3.25", "defined", "Where it cannot go on with a later version, the error is unsupported-version.")
def test_version_of_the_future(site: Site) -> None:
    wire = site.peer().dial(site.here)
    wire.say_header(site.here.name, version="2.0")
    assert wire.header().get("version") == "1.0"
    answer = wire.read()
    assert answer.tag == f"{STREAMS}features" or answer.find(f"{STREAM_ERRORS}unsupported-version") is not None


@core("4.7.5", "SHOULD NOT", "To a server's header without a version the response header has none, and no features.")
def test_server_of_before_xmpp_1(site: Site) -> None:
    peer = site.peer()
    wire = peer.dial(site.here)
    wire.say_header(site.here.name, version=None)
    assert wire.header().get("version") is None
    wire.dial(site.here.name)
    peer.verify()
    assert wire.read().tag == RESULT


@core("4.3.5", "MUST", "Stanzas of a server before it is authenticated close the stream with not-authorized.")
def test_end_of_a_stream_with_an_early_stanza(site: Site) -> None:
    peer = site.peer()
    wire = peer.opened(site.here)
    wire.send(f"<message from='juliet@{peer.name}' to='romeo@{site.here.name}'><body>x</body></message>")
    assert wire.stream_error() == "not-authorized"


@core("4.3.5", "MUST NOT", "Stanzas of a server that has not proved its domain are not taken.")
def test_stanza_before_authentication(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.opened(site.here)
    wire.send(f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='early'><body>x</body></message>")
    assert "early" not in ids(receiver.sync())


@core("8.1.2.2", "MUST", "Between servers a stanza from another domain than was authenticated closes the stream.")
@pytest.mark.parametrize("sender", ["romeo@nowhere.invalid", "romeo@sub.{peer}", "romeo@{here}"])
def test_forged_sender(site: Site, sender: str) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.speaking(site.here)
    from_ = sender.format(peer=peer.name, here=site.here.name)
    wire.send(f"<message from='{from_}' to='{receiver.jid}' id='forged'><body>x</body></message>")
    wire.stream_error()
    assert "forged" not in ids(receiver.sync())


@core("8.1.2.2", "MUST", "The error for a stanza from another domain than was authenticated is invalid-from.")
def test_condition_for_a_forged_sender(site: Site) -> None:
    wire = site.peer().speaking(site.here)
    wire.send(f"<message from='romeo@nowhere.invalid' to='romeo@{site.here.name}'><body>x</body></message>")
    assert wire.stream_error() == "invalid-from"


@core("8.1.2.2", "MUST", "Between servers a stanza without a 'from' closes the stream: improper-addressing.")
@core("8.1.1.2", "MUST", "Between servers a stanza without a 'to' closes the stream: improper-addressing.")
@pytest.mark.parametrize("missing", ["from", "to"])
def test_improper_addressing(site: Site, missing: str) -> None:
    peer = site.peer()
    wire = peer.speaking(site.here)
    there = {"from": f" from='juliet@{peer.name}'", "to": f" to='romeo@{site.here.name}'"}
    del there[missing]
    wire.send(f"<message{''.join(there.values())} id='x'><body>x</body></message>")
    assert wire.stream_error() == "improper-addressing"


@core("8.1.1.2", "MUST", "Between servers a stanza to a domain that is not the server's closes the stream.")
def test_foreign_receiver(site: Site) -> None:
    peer = site.peer()
    wire = peer.speaking(site.here)
    wire.send(f"<message from='juliet@{peer.name}' to='romeo@nowhere.invalid' id='x'><body>x</body></message>")
    assert wire.stream_error() in ("host-unknown", "improper-addressing")


@core("11.3", "MUST", "What is not well-formed closes a stream between servers: not-well-formed.")
def test_not_well_formed(site: Site) -> None:
    peer = site.peer()
    wire = peer.speaking(site.here)
    wire.send(f"<message from='juliet@{peer.name}' to='romeo@{site.here.name}'><body></message>")
    assert wire.stream_error() == "not-well-formed"


@core("11.1", "MUST", "Comments, instructions and references to entities close a stream between servers.")
@pytest.mark.parametrize("restricted", ["<!-- x -->", "<?x y?>", "&x;"])
def test_restricted_xml(site: Site, restricted: str) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.speaking(site.here)
    wire.send(f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='x'><body>a{restricted}b</body></message>")
    assert wire.stream_error() in ("restricted-xml", "not-well-formed")


@core("13.12", "MUST", "A server takes stanzas of another one of 10,000 bytes at least.")
def test_stanza_of_ten_thousand_bytes(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.speaking(site.here)
    wire.send(f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='x'><body>{'x' * 9_900}</body></message>")
    assert len(receiver.until(lambda s: s.get("id") == "x")[-1].findtext("{jabber:client}body") or "") == 9_900


@core("13.12", "MUST", "Stanzas between servers have a bound, and what is beyond it is answered: policy-violation.")
@limits("3.1", "defined", "What is beyond the bound that a server tells is not accepted.")
def test_stanza_that_is_too_big(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.speaking(site.here)
    head = f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='big'><body>"
    with suppress(OSError):  # it does not read to the end what it will not take
        wire.send(head + "x" * (16 << 20) + "</body></message>")
    assert b"policy-violation" in wire.expect_eof()
    assert "big" not in ids(receiver.sync())


@core("4.6.1", "defined", "White space between stanzas (a keepalive) does no harm between servers.")
def test_whitespace(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.speaking(site.here)
    wire.send(f" \n <message from='juliet@{peer.name}' to='{receiver.jid}' id='x'/> \n ")
    receiver.until(lambda stanza: stanza.get("id") == "x")


@core(
    "4.4", "defined", "A server that closes its stream is answered with a closing tag, and what came before it counts."
)
def test_end_of_an_incoming_stream(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.speaking(site.here)
    wire.send(f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='last'/></stream:stream>")
    receiver.until(lambda stanza: stanza.get("id") == "last")
    wire.expect_end()


@core("4.8.5", "MUST", "What another server declares in its header is declared again where it is delivered.")
def test_declaration_in_the_header(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.dial(site.here)
    wire.open(site.here.name, extra="xmlns:x='urn:example:x'")
    wire.dial(site.here.name)
    peer.verify()
    assert wire.read().get("type") == "valid"
    wire.send(f"<message from='juliet@{peer.name}' to='{receiver.jid}' id='x'><x:y/></message>")
    message = receiver.until(lambda stanza: stanza.get("id") == "x")[-1]
    assert message.find("{urn:example:x}y") is not None


@core("8.1.5", "MUST NOT", "The xml:lang of another server's stanza is not changed.")
def test_language(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.speaking(site.here)
    wire.send(f"<message xml:lang='cs' from='juliet@{peer.name}' to='{receiver.jid}' id='x'/>")
    assert receiver.until(lambda stanza: stanza.get("id") == "x")[-1].get(LANG) == "cs"


@core("10.1", "MUST", "What another server sends is delivered in the order in which it came.")
def test_order_of_what_comes(site: Site) -> None:
    receiver, peer = site.online(), site.peer()
    wire = peer.speaking(site.here)
    head = f"<message from='juliet@{peer.name}' to='{receiver.jid}'"
    wire.send("".join(f"{head} id='{number}'/>" for number in range(200)))
    seen = receiver.until(lambda stanza: stanza.get("id") == "199")
    assert [stanza.get("id") for stanza in seen if stanza.get("id", "").isdigit()] == [str(n) for n in range(200)]


@limits("3.1", "defined", "The bound that a server tells in its features is a number of bytes.")
def test_limits(site: Site) -> None:
    wire = site.peer().opened(site.here)
    told = wire.features.find(f"{LIMITS}limits")
    if told is None:
        site.lacks("this server tells no limits")
    assert int(told.findtext(f"{LIMITS}max-bytes", "0")) >= 10_000


@core("5.4.2.2", "MUST", "Where TLS is not on offer between servers, <starttls/> fails, and the stream is closed.")
def test_starttls_that_is_not_offered(site: Site) -> None:
    wire = site.peer().opened(site.here)
    assert wire.features.find(f"{TLS}starttls") is None
    wire.send(STARTTLS)
    assert wire.read().tag == f"{TLS}failure"
    wire.expect_end()


@core("4.9.3.24", "defined", "A first-level child of the content namespace that is no stanza is refused.")
def test_unknown_stanza(site: Site) -> None:
    peer = site.peer()
    wire = peer.speaking(site.here)
    wire.send(f"<poem from='juliet@{peer.name}' to='romeo@{site.here.name}'/>")
    assert wire.read().tag == f"{STREAMS}error"
