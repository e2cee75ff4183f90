"""RFC 6120 section 7: resource binding."""

from __future__ import annotations

import pytest

from tests.conformance.rules import core
from tests.conformance.site import Site
from tests.conformance.wire import BIND, STREAMS, Wire, bound_jid, error_of

BIND_NS = "urn:ietf:params:xml:ns:xmpp-bind"


@core("7.4", "MUST", "The features after the login include <bind/>.")
@core("7.4", "MUST NOT", "The features before the login do not.")
@core("7.3.1", "MUST", "Binding is mandatory to negotiate.")
def test_offer(site: Site) -> None:
    before = site.wire()
    before.open(site.here.name)
    assert before.features.find(f"{BIND}bind") is None
    after, _ = site.authenticated()
    assert after.features.find(f"{BIND}bind") is not None


@core("7.6", "MUST", "The server can make a resourcepart for the client.")
@core("7.6", "MUST", "It makes a random one.")
@core("7.6.1", "MUST", "The result has a <jid/> with the full JID.")
@core("7.5", "MUST", "A resourcepart is unique among the connected resources of the account.")
@core("7.1", "SHOULD", "An account may have several connected resources.")
def test_server_generated(site: Site) -> None:
    wire, name = site.authenticated()
    jids = {bound_jid(wire.bind())}
    for _ in range(3):
        jids.add(site.client(name=name).jid)
    assert len(jids) == 4
    assert all(jid.startswith(f"{name}@{site.here.name}/") and len(jid.partition("/")[2]) >= 6 for jid in jids)


@core("7.7.1", "SHOULD", "The resourcepart that the client asks for is accepted, unmodified.")
@pytest.mark.parametrize("resource", ["balcony", "Two Words", "\u30d0\u30eb\u30b3\u30cb\u30fc", "a/b@c"])
def test_client_submitted(site: Site, resource: str) -> None:
    wire, name = site.authenticated()
    assert bound_jid(wire.bind(resource)) == f"{name}@{site.here.name}/{resource}"


@core("7.7.2.1", "SHOULD", "An empty resourcepart is replaced by one that conforms.")
def test_empty_resource(site: Site) -> None:
    wire, _ = site.authenticated()
    wire.send(f"<iq type='set' id='b'><bind xmlns='{BIND_NS}'><resource></resource></bind></iq>")
    assert bound_jid(wire.read()).partition("/")[2]


@core("7.7.2.1", "SHOULD", "A resourcepart that breaks the rules is brought into conformance.")
def test_nonconforming_resource_is_mended(site: Site) -> None:
    wire, _ = site.authenticated()
    assert wire.bind("x" * 1100).get("type") == "result"


@core("7.7.2.1", "MUST", "A resourcepart that cannot be processed gets bad-request (or is mended).")
@core("7.7.3", "SHOULD", "At least five retries are allowed after an error.")
def test_bad_resource(site: Site) -> None:
    wire, _ = site.authenticated()
    for _ in range(5):
        answer = wire.bind("x" * 1100)
        if answer.get("type") == "result":
            return
        assert error_of(answer) == ("modify", "bad-request")
    assert bound_jid(wire.bind("fine"))


def removed(site: Site) -> Wire:
    """A stream that is logged in to an account that is removed now."""
    wire, name = site.authenticated()
    answer = site.client(name=name).ask("set", "<query xmlns='jabber:iq:register'><remove/></query>")
    if answer.get("type") != "result":
        site.lacks("this server does not remove accounts that are in use")
    return wire


@core("7.6.2.2", "MUST", "Who may not bind gets not-allowed.")
def test_binding_to_a_removed_account(site: Site) -> None:
    assert error_of(removed(site).bind()) == ("cancel", "not-allowed")


@core("7.7.3", "MUST", "Who reaches the limit of retries gets policy-violation, and the stream is closed.")
def test_too_many_retries(site: Site) -> None:
    refusals, wire = tried(site, 100)
    assert refusals < 100
    assert b"policy-violation" in wire.raw
    wire.expect_end()


@core("7.7.3", "SHOULD", "No more than ten retries are allowed.")
def test_number_of_retries(site: Site) -> None:
    refusals, _ = tried(site, 12)
    assert refusals <= 11


def tried(site: Site, at_most: int) -> tuple[int, Wire]:
    """How many resources were refused, and the stream that had enough by then."""
    wire = removed(site)
    for refusals in range(at_most):
        if wire.bind().tag == f"{STREAMS}error":
            return refusals, wire
    return at_most, wire


@core("7.7.2.2", "MUST", "A conflict ends in one of three ways: another resource, an error, or the end of the older.")
@core("4.9.3.3", "defined", "A stream that is closed for a newer one of its resource gets conflict.")
def test_conflict(site: Site) -> None:
    older = site.client(resource="balcony")
    wire, _ = site.authenticated(name=older.name)
    answer = wire.bind("balcony")
    if answer.get("type") == "error":
        assert error_of(answer) == ("cancel", "conflict")
    elif bound_jid(answer) == older.jid:
        assert older.stream_error() == "conflict"
    else:
        assert older.sync() == []


@core("7.1", "MUST", "A stanza to others before binding ends the stream with not-authorized.")
@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_stanza_before_binding(site: Site, kind: str) -> None:
    wire, _ = site.authenticated()
    content = " type='get'><ping xmlns='urn:xmpp:ping'/>" if kind == "iq" else ">"
    wire.send(f"<{kind} to='nobody@{site.there.name}' id='early'{content}</{kind}>")
    assert wire.stream_error() == "not-authorized"


@core("7.6.2.1", "MUST", "At the limit of connected resources the answer is resource-constraint.")
@core("13.12", "MUST", "At the limit of connected resources the answer is resource-constraint.")
def test_limit_of_resources(site: Site) -> None:
    wire, name = site.authenticated()
    wire.bind()
    for _ in range(65):
        further, _ = site.authenticated(name=name)
        answer = further.bind()
        if answer.get("type") == "error":
            assert error_of(answer) == ("wait", "resource-constraint")
            return
    site.lacks("this server's limit is higher, or it has none")
