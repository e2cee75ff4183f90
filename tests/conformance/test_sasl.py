"""RFC 6120 section 6: SASL."""

from __future__ import annotations

import base64

import pytest

from tests.conformance.rules import core
from tests.conformance.scram import Scram, say, text_of
from tests.conformance.site import PASSWORD, Site
from tests.conformance.wire import SASL, STREAMS, Wire, mechanisms


def opened(site: Site) -> Wire:
    """A stream without a login."""
    wire = site.wire()
    wire.open(site.here.name)
    return wire


def plain(wire: Wire, *, mechanism: str = "PLAIN", raw: str) -> str:
    """The condition of the failure that this <auth/> gets."""
    wire.send(f"<auth xmlns='{SASL[1:-1]}' mechanism='{mechanism}'>{raw}</auth>")
    return condition(wire)


def condition(wire: Wire) -> str:
    """The condition of the failure that comes."""
    failure = wire.read()
    assert failure.tag == f"{SASL}failure"
    names = [child.tag for child in failure if child.tag != f"{SASL}text"]
    assert len(names) == 1
    assert names[0].startswith(SASL)
    return names[0].removeprefix(SASL)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@core("6.4.1", "SHOULD", "The features advertise SASL.")
@core("6.4.1", "MUST", "There is one <mechanism/> for each mechanism on offer.")
@core("13.5", "MUST", "SASL is supported.")
def test_offer(site: Site) -> None:
    offered = mechanisms(opened(site).features)
    assert offered
    assert all(offered)
    assert len(set(offered)) == len(offered)


@core("6.3.1", "MUST", "SASL is mandatory: nothing is bound without it.")
def test_bind_without_login(site: Site) -> None:
    wire = opened(site)
    wire.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    answer = wire.read()
    assert answer.tag == f"{STREAMS}error" or answer.get("type") == "error"


@core("6.3.2", "MUST", "After SASL the stream restarts.")
@core("6.4.6", "MUST", "The new stream has a new id.")
@core("6.4.6", "MUST", "The new stream has features.")
def test_success(site: Site) -> None:
    name, wire = site.account(), opened(site)
    before = wire.header().get("id")
    assert wire.plain(name, PASSWORD).tag == f"{SASL}success"
    assert wire.open(site.here.name).get("id") not in (None, "", before)


@core("6.3.5", "MUST NOT", "No white space is sent as a separator during the SASL negotiation.")
@core("6.3.5", "MUST", "Character data of SASL elements is base64 with padding bits of zero.")
@core("6.3.10", "MUST", "The initial response is supported.")
def test_format(site: Site) -> None:
    name, wire = site.account(), opened(site)
    wire.raw = b""
    login = Scram("sha1", name, PASSWORD)
    challenge = say(wire, "auth", login.first(), " mechanism='SCRAM-SHA-1'")
    assert encoded(base64.b64decode(challenge.text or "", validate=True).decode()) == challenge.text
    assert say(wire, "response", login.final(text_of(challenge))).tag in (f"{SASL}success", f"{SASL}challenge")
    assert b"> <" not in wire.raw
    assert wire.raw == wire.raw.strip()


@core("6.3.10", "MUST", "The mode with one more round trip is supported: an <auth/> without initial response.")
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1"])
def test_login_without_initial_response(site: Site, mechanism: str) -> None:
    name, wire = site.account(), opened(site)
    if mechanism == "PLAIN":
        challenge = say(wire, "auth", None, " mechanism='PLAIN'")
        assert challenge.tag == f"{SASL}challenge"
        answer = say(wire, "response", f"\0{name}\0{PASSWORD}")
    else:
        answer = Scram("sha1", name, PASSWORD).login(wire, mechanism, initial=False)
    assert answer.tag == f"{SASL}success"


@core("6.3.8", "MUST", "An authorization identity that is not the client's to assume gets invalid-authzid.")
def test_authzid_of_another(site: Site) -> None:
    name, wire = site.account(), opened(site)
    assert plain(wire, raw=encoded(f"other@{site.here.name}\0{name}\0{PASSWORD}")) == "invalid-authzid"


@core("6.3.8", "defined", "The client's own bare JID is accepted as authorization identity.")
def test_own_authzid(site: Site) -> None:
    name, wire = site.account(), opened(site)
    assert wire.plain(name, PASSWORD, authzid=f"{name}@{site.here.name}").tag == f"{SASL}success"


@core("6.4.2", "MUST", "A second <auth/> discards the handshake that is under way, and begins a new one.")
def test_second_auth(site: Site) -> None:
    name, wire = site.account(), opened(site)
    first = say(wire, "auth", Scram("sha1", name, PASSWORD).first(), " mechanism='SCRAM-SHA-1'")
    assert first.tag == f"{SASL}challenge"
    assert Scram("sha1", name, PASSWORD).login(wire, "SCRAM-SHA-1").tag == f"{SASL}success"


@core("6.4.4", "MUST", "<abort/> is answered with a failure: aborted.")
def test_abort(site: Site) -> None:
    name, wire = site.account(), opened(site)
    assert say(wire, "auth", Scram("sha1", name, PASSWORD).first(), " mechanism='SCRAM-SHA-1'").tag.endswith(
        "challenge"
    )
    wire.send(f"<abort xmlns='{SASL[1:-1]}'/>")
    assert condition(wire) == "aborted"
    assert wire.plain(name, PASSWORD).tag == f"{SASL}success"


@core("6.4.5", "MUST", "The cause of a failure is told by one of the defined conditions.")
@core("6.4.5", "SHOULD", "At least two retries are allowed on the same stream.")
@core("6.5", "MUST", "The condition of a failure is one of section 6.5.")
def test_retries(site: Site) -> None:
    name, wire = site.account(), opened(site)
    for _ in range(2):
        assert plain(wire, raw=encoded(f"\0{name}\0wrong")) == "not-authorized"
    assert wire.plain(name, PASSWORD).tag == f"{SASL}success"


@core("6.4.5", "MUST", "Who exceeds the number of retries gets a stream error, and the stream is closed.")
@core("6.4.5", "SHOULD", "That error is policy-violation (some send not-authorized).")
@core("13.9.4", "MUST", "The number of retries is limited.")
def test_too_many_retries(site: Site) -> None:
    failures, wire = tried(site, 100)
    assert failures < 100
    assert b"policy-violation" in wire.raw or wire.raw.count(b"not-authorized") > failures
    wire.expect_end()


@core("6.4.5", "SHOULD", "No more than five retries are allowed.")
def test_number_of_retries(site: Site) -> None:
    failures, _ = tried(site, 7)
    assert failures <= 6


def tried(site: Site, at_most: int) -> tuple[int, Wire]:
    """How many wrong passwords were answered with a failure, and the stream that had enough of them by then."""
    name, wire = site.account(), opened(site)
    wrong = encoded(f"\0{name}\0wrong")
    for failures in range(at_most):
        wire.send(f"<auth xmlns='{SASL[1:-1]}' mechanism='PLAIN'>{wrong}</auth>")
        answer = wire.read()
        if answer.tag == f"{STREAMS}error":
            return failures, wire
        assert answer.tag == f"{SASL}failure"
    return at_most, wire


@core("6.5.10", "defined", "An unknown account and a wrong password are told apart by nothing.")
def test_unknown_account(site: Site) -> None:
    assert plain(opened(site), raw=encoded("\0nobody-of-that-name\0x")) == "not-authorized"
    assert plain(opened(site), raw=encoded(f"\0{site.account()}\0x")) == "not-authorized"


@core("6.5.7", "defined", "A mechanism that is not on offer gets invalid-mechanism.")
def test_invalid_mechanism(site: Site) -> None:
    assert plain(opened(site), mechanism="NO-SUCH", raw="=") == "invalid-mechanism"


BAD_BASE64 = {"foreign": "{0}!{1}", "space": "{0} {1}", "pad-inside": "{0}=={1}", "pad-first": "={0}{1}"}


@core("13.9.1", "MUST", "Characters outside the base64 alphabet are rejected, not ignored.")
@core("13.9.1", "MUST", "A pad character anywhere but at the end is rejected.")
@pytest.mark.parametrize("how", BAD_BASE64)
def test_bad_base64(site: Site, how: str) -> None:
    right = encoded(f"\0{site.account()}\0{PASSWORD}")
    assert plain(opened(site), raw=BAD_BASE64[how].format(right[:8], right[8:]))


@core("6.5.5", "defined", "A login whose base64 is wrong gets incorrect-encoding (or malformed-request).")
@pytest.mark.parametrize("raw", ["AGEAY!Q=", "=AAA", "BBBB=CCC", "AG EAYQ==", "A"])
def test_condition_for_bad_base64(site: Site, raw: str) -> None:
    assert plain(opened(site), raw=raw) in ("incorrect-encoding", "malformed-request")


@core("6.5.8", "defined", "A login that makes no sense for its mechanism gets malformed-request (or not-authorized).")
@pytest.mark.parametrize("said", ["no nul", "\0only-one"])
def test_malformed_request(site: Site, said: str) -> None:
    assert plain(opened(site), raw=encoded(said)) in ("malformed-request", "not-authorized")


@core("6.5.10", "defined", "A wrong proof in a challenge-response sequence is not accepted.")
def test_wrong_proof(site: Site) -> None:
    wire = opened(site)
    assert Scram("sha1", site.account(), "wrong").login(wire, "SCRAM-SHA-1").tag == f"{SASL}failure"
