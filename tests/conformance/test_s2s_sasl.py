"""RFC 6120 section 6 and XEP-0178 between servers: certificates, and logins with them."""

from __future__ import annotations

import base64
import ssl

import pytest

from cluster.lab.provision.ca import DEBATABLE, FLAWS
from tests.conformance.beginnings import condition, let_in, secured, verified
from tests.conformance.federation import ERRORS, EXTERNAL, RESULT
from tests.conformance.rules import core, dialback, external
from tests.conformance.site import Site
from tests.conformance.wire import SASL, SERVER, mechanisms

# --- on a stream that comes to the server


@core(
    "6.3.4", "SHOULD", "EXTERNAL is offered to a server whose certificate is valid for its domain, first in the list."
)
@core("13.8.4", "MUST", "EXTERNAL with certificates is supported between servers.")
@core("5.4.3.1", "SHOULD", "The server asks another one for its certificate.")
@external("3", "SHOULD", "EXTERNAL is offered where the 'from' of the header is an identity of the certificate.")
def test_external_offered(site: Site) -> None:
    wire = site.peer().opened(site.secured)
    assert mechanisms(wire.features)[:1] == ["EXTERNAL"]


@core("6.4.6", "MUST", "After <success/> the stream restarts, with a new id and features.")
@core("6.3.2", "MUST", "A login of a server restarts the stream.")
@external("3", "defined", "The login succeeds with an empty authorization identity.")
@core("4.3.5", "defined", "Stanzas of a server that has logged in are taken.")
def test_external(site: Site) -> None:
    peer = site.peer()
    wire = peer.opened(site.secured)
    before = wire.header().get("id")
    assert wire.log_in().tag == f"{SASL}success"
    wire.open(site.secured.name)
    assert wire.header().get("id") not in (None, "", before)
    assert mechanisms(wire.features) == []
    assert let_in(wire, peer, site)


@external("3", "defined", "The login succeeds with the domain as authorization identity, as former versions had it.")
@core("6.3.8", "defined", "The authorization identity of a server is its domain.")
def test_external_with_an_identity(site: Site) -> None:
    peer = site.peer()
    assert peer.opened(site.secured).log_in(peer.name).tag == f"{SASL}success"


@core("6.3.8", "MUST", "A login as another domain than that of the certificate fails.")
@core("6.5.6", "defined", "The condition for that is invalid-authzid or not-authorized.")
def test_external_as_another(site: Site) -> None:
    wire = site.peer().opened(site.secured)
    assert condition(wire.log_in("nowhere.invalid")) in ("invalid-authzid", "not-authorized")


@core("6.5.7", "defined", "A mechanism that is not on offer to servers fails: invalid-mechanism.")
def test_unknown_mechanism(site: Site) -> None:
    assert condition(site.peer().opened(site.secured).log_in(mechanism="X-UNKNOWN")) == "invalid-mechanism"


@core("6.5.5", "defined", "An identity of a server that is no base64 fails: incorrect-encoding.")
def test_bad_base64(site: Site) -> None:
    wire = site.peer().opened(site.secured)
    wire.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>!!!!</auth>")
    assert condition(wire.read()) == "incorrect-encoding"


@core(
    "13.7.2", "MUST", "A certificate lets in no domain that it does not prove: expired, of another name or authority."
)
@external("3", "SHOULD", "EXTERNAL with such a certificate is not offered, or fails with not-authorized.")
@pytest.mark.parametrize("flaw", [flaw for flaw in FLAWS if flaw not in DEBATABLE])
def test_certificates_with_flaws(site: Site, flaw: str) -> None:
    peer = site.peer(flaw)
    try:
        wire = peer.opened(site.secured)
    except (ssl.SSLError, AssertionError):
        return  # not even TLS
    if "EXTERNAL" in mechanisms(wire.features):
        assert condition(wire.log_in()) == "not-authorized"


@external("3", "defined", "A server whose certificate proves nothing may go on with dialback.")
@dialback("3", "defined", "Dialback works under TLS too.")
def test_dialback_under_tls(site: Site) -> None:
    peer = site.peer("self-signed")
    wire = peer.opened(site.secured)
    wire.dial(site.secured.name)
    verified(peer)
    assert wire.until(lambda child: child.tag == RESULT)[-1].get("type") == "valid"


@external("3", "defined", "EXTERNAL is not offered where the header under TLS has no 'from'.")
def test_header_without_from(site: Site) -> None:
    peer = site.peer()
    wire = peer.dial(site.secured)
    wire.declared = "xmlns='jabber:server' xmlns:db='jabber:server:dialback'"
    try:
        wire.open(site.secured.name)
        wire.secure(site.secured)
    except AssertionError:  # RFC 6120 section 4.7.1 wants a 'from' of a server
        assert wire.stream_error() in ("improper-addressing", "invalid-from")
        return
    assert "EXTERNAL" not in mechanisms(wire.features) or wire.log_in().tag == f"{SASL}failure"


@core("8.1.2.2", "MUST", "After EXTERNAL a stanza from another domain closes the stream.")
@pytest.mark.parametrize("sender", ["romeo@nowhere.invalid", "juliet@sub.{peer}"])
def test_forged_sender(site: Site, sender: str) -> None:
    peer = site.peer()
    wire = peer.speaking(site.secured)
    wire.send(
        f"<message from='{sender.format(peer=peer.name)}' to='romeo@{site.secured.name}'><body>x</body></message>"
    )
    assert wire.stream_error() in ("invalid-from", "not-authorized")


@dialback("2.6.1", "defined", "After EXTERNAL a second sender domain may be proved by dialback.")
def test_second_domain_behind_external(site: Site) -> None:
    first, second = site.peer(), site.peer()
    wire = first.speaking(site.secured)
    wire.dial(site.secured.name, from_=second.name)
    verified(second)
    assert wire.until(lambda child: child.tag == RESULT)[-1].get("type") == "valid"
    assert let_in(wire, second, site)
    assert let_in(wire, first, site)


# --- on a stream that the server opens


@external("3", "defined", "Where EXTERNAL is on offer under TLS, the server logs in with it.")
@core("6.3.8", "defined", "Its authorization identity is its domain or left out.")
@core("6.4.6", "MUST", "After <success/> the server sends a new stream header.")
@core("13.8.4", "MUST", "EXTERNAL with certificates is what servers log in with.")
def test_external_of_the_server(site: Site) -> None:
    peer, wire, _ = secured(site, EXTERNAL)
    auth = wire.accept_login()
    assert auth.get("mechanism") == "EXTERNAL"
    said = auth.text or ""
    assert said == "=" or base64.b64decode(said).decode() in ("", site.secured.name)
    header = wire.welcome_anew("")
    assert (header.get("from"), header.get("to")) == (site.secured.name, peer.name)
    assert wire.stanza().get("id") == "p1"


@external("3", "defined", "Where EXTERNAL fails, the server may go on with dialback.")
def test_external_that_is_refused(site: Site) -> None:
    _, wire, _ = secured(site, EXTERNAL + ERRORS)
    assert wire.read().tag == f"{SASL}auth"
    wire.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>")
    assert wire.read().tag == RESULT
    assert not wire.has(f"{SERVER}iq")
