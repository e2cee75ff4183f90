"""The receiving side of a stream between servers: how it begins, and what it accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.xmpp.errors import Condition
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Misaddressed
from cluster.xmpp.streams.login import MAX_LOGIN_TRIES
from cluster.xmpp.streams.servers.certificate import NO_CERTIFICATE, PeerCertificate
from cluster.xmpp.streams.servers.events import AcknowledgementWanted, Authenticated
from tests.unit.xmpp.server_streams import (
    CAPULET,
    GOOD,
    HEADER,
    MONTAGUE,
    PAIR,
    Receiver,
    authenticated,
    chat,
    stream_error,
)

TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
SM = "urn:xmpp:sm:3"


# --- how a stream begins


def test_the_header_says_who_and_the_features_what() -> None:
    receiver = Receiver("optional")
    answer = receiver.say(HEADER)
    assert f'from="{CAPULET}" to="{MONTAGUE}" id="id1" version="1.0"' in answer
    assert f"<starttls xmlns='{TLS}'></starttls>" in answer
    assert "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>" in answer
    assert "<max-bytes>393216</max-bytes><idle-seconds>600</idle-seconds>" in answer
    assert "EXTERNAL" not in answer


def test_where_tls_is_required_nothing_else_is_on_offer_or_taken() -> None:
    receiver = Receiver("required")
    answer = receiver.say(HEADER)
    assert "<required/>" in answer
    assert "dialback>" not in answer
    told = receiver.say(f"<db:result from='{MONTAGUE}' to='{CAPULET}'>key</db:result>")
    assert "type='error'" in told
    assert "<policy-violation" in told
    told = receiver.say(f"<db:verify from='{MONTAGUE}' to='{CAPULET}' id='x'>key</db:verify>")
    assert "<policy-violation" in told
    assert "<encryption-required" in receiver.say(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
    receiver.say("<message from='romeo@montague.lit' to='juliet@capulet.lit'/>")
    assert stream_error(receiver).startswith("not-authorized")


@pytest.mark.parametrize(
    ("was", "becomes", "error"),
    [
        ("jabber:server'", "jabber:client'", "invalid-namespace"),
        (f"to='{CAPULET}'", "to='verona.lit'", "host-unknown"),
        (f"from='{MONTAGUE}'", f"from='{CAPULET}'", "invalid-from"),
        (f"from='{MONTAGUE}'", f"from='rooms.{CAPULET}'", "invalid-from"),
        (f"from='{MONTAGUE}'", "from='@'", "invalid-from"),
        (f"from='{MONTAGUE}'", "from='romeo@montague.lit'", "invalid-from"),
    ],
)
def test_a_header_that_cannot_be(was: str, becomes: str, error: str) -> None:
    receiver = Receiver()
    receiver.say(HEADER.replace(was, becomes, 1))
    assert stream_error(receiver).startswith(error)


def test_a_later_version_is_answered_with_ours() -> None:
    """RFC 6120 section 4.7.5: with the lower of both."""
    receiver = Receiver()
    answer = receiver.say(HEADER.replace("'1.0'", "'2.0'", 1))
    assert 'version="1.0"' in answer
    assert "<stream:features>" in answer


def test_a_server_of_before_xmpp_1_gets_no_features_and_may_dial_back() -> None:
    receiver = Receiver()
    answer = receiver.say(HEADER.replace(" version='1.0'", ""))
    assert "features" not in answer
    assert "version='1.0' xml:lang" not in answer
    assert "type='valid'" in receiver.answer(receiver.dial(), True)


def test_data_in_clear_behind_starttls_ends_the_stream() -> None:
    receiver = Receiver("optional")
    receiver.say(HEADER)
    told = receiver.say(f"<starttls xmlns='{TLS}'/><db:result from='{MONTAGUE}' to='{CAPULET}'>k</db:result>")
    assert "<policy-violation" in told
    assert "<proceed" not in told


def test_tls_that_is_not_on_offer_fails() -> None:
    receiver = Receiver("off")
    receiver.say(HEADER)
    assert f"<failure xmlns='{TLS}'/></stream:stream>" in receiver.say(f"<starttls xmlns='{TLS}'/>")


# --- EXTERNAL


def secure(certificate: PeerCertificate = GOOD, header: str = HEADER) -> tuple[Receiver, str]:
    receiver = Receiver("required")
    receiver.secure(certificate)
    return receiver, receiver.say(header)


def test_external_is_offered_to_whom_the_certificate_is_of() -> None:
    assert "<mechanism>EXTERNAL</mechanism>" in secure()[1]
    assert "EXTERNAL" not in secure(PeerCertificate(dns=("verona.lit",)))[1]
    assert "EXTERNAL" not in secure(NO_CERTIFICATE)[1]
    assert "EXTERNAL" not in secure(header=HEADER.replace(f"from='{MONTAGUE}' ", ""))[1]


@pytest.mark.parametrize("authzid", ["=", "bW9udGFndWUubGl0", ""])  # XEP-0178: both occur in the field
def test_external_takes_the_domain_of_the_header(authzid: str) -> None:
    receiver, _ = secure()
    assert receiver.say(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>{authzid}</auth>") == f"<success xmlns='{SASL}'/>"
    answer = receiver.say(HEADER)
    assert receiver.events == [Authenticated(PAIR, "EXTERNAL")]
    assert f"<sm xmlns='{SM}'/>" in answer
    assert "EXTERNAL" not in answer


def test_external_as_somebody_else_is_refused() -> None:
    receiver, _ = secure()
    auth = f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>dmVyb25hLmxpdA==</auth>"
    assert "<invalid-authzid" in receiver.say(auth)
    assert "<invalid-mechanism" in receiver.say(f"<auth xmlns='{SASL}' mechanism='PLAIN'>=</auth>")
    receiver, _ = secure(PeerCertificate(dns=("verona.lit",)))
    assert "<not-authorized" in receiver.say(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
    for _ in range(MAX_LOGIN_TRIES):
        receiver.say(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
    assert stream_error(receiver).startswith("policy-violation")


def test_who_has_no_link_is_let_in_neither_by_certificate_nor_by_key() -> None:
    receiver = Receiver("optional")
    receiver.stream.options = replace(receiver.stream.options, peers=frozenset({"verona.lit"}))
    receiver.secure()
    assert "EXTERNAL" not in receiver.say(HEADER)
    auth = f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>"
    assert f"no link leads to {MONTAGUE}" in receiver.say(auth)
    assert "<remote-server-not-found" in receiver.say(f"<db:result from='{MONTAGUE}' to='{CAPULET}'>key</db:result>")
    assert receiver.events == []


def test_after_external_the_stream_is_not_of_somebody_else() -> None:
    receiver, _ = secure()
    receiver.say(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
    receiver.say(HEADER.replace(MONTAGUE, "verona.lit"))
    assert stream_error(receiver).startswith("invalid-from")


# --- stanzas


@pytest.mark.parametrize(
    ("stanza", "error"),
    [
        ("<message from='mercutio@rooms.montague.lit' to='juliet@capulet.lit'/>", "invalid-from"),
        ("<message from='romeo@xmontague.lit' to='juliet@capulet.lit'/>", "invalid-from"),
        ("<message from='tybalt@capulet.lit' to='juliet@capulet.lit'/>", "invalid-from"),
        ("<message from='romeo@montague.lit' to='x@rooms.capulet.lit'/>", "invalid-from"),
        ("<message from='romeo@montague.lit' to='x@verona.lit'/>", "host-unknown"),
        ("<message from='romeo@montague.lit'/>", "improper-addressing"),
        ("<message to='juliet@capulet.lit'/>", "improper-addressing"),
        ("<message from='@' to='juliet@capulet.lit'/>", "improper-addressing"),
        ("<message xmlns='jabber:client' from='romeo@montague.lit' to='juliet@capulet.lit'/>", "invalid-namespace"),
        ("<mail from='romeo@montague.lit' to='juliet@capulet.lit'/>", "unsupported-stanza-type"),
    ],
)
def test_a_stanza_that_is_not_of_the_pair_ends_the_stream(stanza: str, error: str) -> None:
    """RFC 6120 sections 4.9.3.6, 4.9.3.7 and 4.9.3.9, 8.1.1.2, 8.1.2.2."""
    receiver = authenticated()
    receiver.say(stanza)
    assert stream_error(receiver).startswith(error)


def test_a_stanza_before_the_peer_is_known_ends_the_stream() -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    receiver.dial()
    receiver.say(chat().raw.decode())
    assert stream_error(receiver).startswith("not-authorized")


def test_a_stanza_to_no_address_is_answered() -> None:
    receiver = authenticated()
    receiver.say("<message from='romeo@montague.lit' to='a@b@capulet.lit' id='1'/>")
    event = receiver.events[-1]
    assert isinstance(event, Misaddressed)
    assert event.error.condition is Condition.JID_MALFORMED
    assert event.stanza.to == Jid("", CAPULET)


def test_strangers_may_say_little() -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    receiver.say(f"<db:result from='{MONTAGUE}' to='{CAPULET}'>{'x' * 20_000}")
    assert stream_error(receiver).startswith("policy-violation")
    receiver = authenticated()
    receiver.say(f"<message from='romeo@montague.lit' to='juliet@capulet.lit'><body>{'x' * 300_000}</body></message>")
    assert isinstance(receiver.events[-1], Stanza)


def test_declarations_of_the_header_hold_in_stanzas() -> None:
    receiver = authenticated()
    receiver.say("<message from='romeo@montague.lit' to='juliet@capulet.lit'><db:x>1</db:x></message>")
    assert receiver.events[-1].payloads == ("jabber:server:dialback x",)
    assert b"xmlns" in receiver.events[-1].raw


# --- stream management


def test_stanzas_are_acknowledged_when_they_are_safe() -> None:
    receiver = authenticated()
    assert f"<enabled xmlns='{SM}' id=" in receiver.say(f"<enable xmlns='{SM}' resume='true'/>")
    management = receiver.stream.management
    assert management is not None
    receiver.say(chat().raw.decode())
    management.received(None)
    assert receiver.say(f"<r xmlns='{SM}'/>") == ""
    assert receiver.events[-1] == AcknowledgementWanted()
    receiver.stream.tell(management.handled)
    assert receiver.stream.data_to_send() == f"<a xmlns='{SM}' h='1'/>".encode()


def test_no_management_before_the_peer_is_known() -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    assert "<unexpected-request" in receiver.say(f"<enable xmlns='{SM}'/>")
    assert "<unexpected-request" in receiver.say(f"<resume xmlns='{SM}' previd='x' h='0'/>")
