"""Streams between servers, both sides: how they begin, who is believed, and what may flow."""

from __future__ import annotations

from dataclasses import replace
from xml.sax.saxutils import escape

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.events import Closed, Misaddressed, TlsWanted
from cluster.xmpp.streams.servers.certificate import NO_CERTIFICATE, PeerCertificate
from cluster.xmpp.streams.servers.dialback import Pair, Verification, key
from cluster.xmpp.streams.servers.initiating import InitiatingServerStream, Opened, Verified
from cluster.xmpp.streams.servers.receiving import (
    MAX_PAIRS,
    MAX_TRIES,
    AcknowledgementWanted,
    Authenticated,
    VerifyWanted,
)
from cluster.xmpp.streams.servers.stream import ServerState
from cluster.xmpp.streams.sm import StreamManagement, Unacknowledged
from tests.unit.xmpp.server_streams import (
    CAPULET,
    GOOD,
    HEADER,
    MONTAGUE,
    OF_CAPULET,
    OTHER_SECRET,
    PAIR,
    Joined,
    Receiver,
    authenticated,
    chat,
    options,
)

TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
SM = "urn:xmpp:sm:3"


def stream_error(receiver: Receiver) -> str:
    closed = receiver.events[-1]
    assert isinstance(closed, Closed)
    return closed.reason


# --- both sides together


@pytest.mark.parametrize("tls", ["optional", "required"])
def test_with_tls_and_good_certificates_they_use_external_and_acknowledge(tls: str) -> None:
    joined = Joined(tls)
    joined.pump()
    assert joined.told == [TlsWanted(), Opened("EXTERNAL")]
    assert [*joined.capulet.pairs] == [PAIR]
    assert joined.montague.management is not None
    assert joined.montague.management.is_resumable
    joined.send(chat("1"), chat("2"))
    assert joined.got == ["1", "2"]


def test_without_tls_they_dial_back() -> None:
    joined = Joined("off")
    joined.pump()
    assert joined.told == [Opened("dialback")]
    joined.send(chat("1"))
    assert joined.got == ["1"]


@pytest.mark.parametrize(
    ("of_montague", "of_capulet"),
    [
        (NO_CERTIFICATE, OF_CAPULET),
        (PeerCertificate(dns=("verona.lit",)), OF_CAPULET),
        (PeerCertificate(dns=(MONTAGUE,), problem="certificate has expired"), OF_CAPULET),
        (GOOD, PeerCertificate(dns=("verona.lit",))),
    ],
)
def test_with_tls_and_a_bad_certificate_they_dial_back(
    of_montague: PeerCertificate, of_capulet: PeerCertificate
) -> None:
    joined = Joined("required", of_montague, of_capulet)
    joined.pump()
    assert joined.told == [TlsWanted(), Opened("dialback")]


def test_a_forged_key_is_refused_and_ends_the_stream() -> None:
    joined = Joined("off", secret="guessed")
    joined.pump()
    assert joined.montague.failure is not None
    assert joined.montague.failure.condition is Condition.INTERNAL_SERVER_ERROR  # XEP-0220 section 2.1.1
    assert joined.capulet.pairs == {}
    assert joined.capulet.state is ServerState.CLOSED


def test_a_stream_is_resumed_with_what_was_not_acknowledged() -> None:
    first = Joined("required")
    first.pump()
    management = first.montague.management
    assert management is not None
    management.sent([Unacknowledged(chat(str(n)), 0.0) for n in range(3)])
    again = Joined("required", former=management)
    again.pump()
    assert again.receiver.events[-1].previd == management.id
    again.capulet.resumed(StreamManagement(management.id, 60.0, 1))  # it had handled one of the three
    again.pump()
    assert again.told[-1] == Opened("EXTERNAL", is_resumed=True, acknowledged=1)
    assert again.got == ["1", "2"]


def test_a_stream_that_is_not_known_any_more_begins_anew() -> None:
    former = StreamManagement("gone")
    former.sent([Unacknowledged(chat("0"), 0.0)])
    again = Joined("required", former=former)
    again.pump()
    again.capulet.resume_refused()
    again.pump()
    assert again.told[-1] == Opened("EXTERNAL")
    assert [left.stanza.id for left in former.left] == ["0"]
    assert again.montague.management not in (None, former)


# --- certificates: RFC 6120 section 13.7.1.2, RFC 6125, RFC 9525


@pytest.mark.parametrize(
    "certificate",
    [
        PeerCertificate(dns=("Montague.LIT",)),
        PeerCertificate(srv=("_xmpp-server.montague.lit",)),
        PeerCertificate(xmpp=("montague.lit",)),
        PeerCertificate(dns=("other.lit", "montague.lit")),
    ],
)
def test_a_certificate_that_names_the_domain_speaks_for_it(certificate: PeerCertificate) -> None:
    assert certificate.why_not(MONTAGUE) == ""


@pytest.mark.parametrize(
    ("certificate", "domain"),
    [
        (PeerCertificate(dns=("*.montague.lit",)), "montague.lit"),
        (PeerCertificate(dns=("*.montague.lit",)), "a.b.montague.lit"),
        (PeerCertificate(dns=("m*.lit",)), "montague.lit"),
        (PeerCertificate(dns=("*.lit",)), "montague.lit"),
        (PeerCertificate(dns=("*",)), "montague.lit"),
        (PeerCertificate(dns=("montague.lit.evil.lit", "xmontague.lit", "rooms.montague.lit")), "montague.lit"),
        (PeerCertificate(srv=("_xmpp-client.montague.lit", "_xmpp-server.*.lit", "montague.lit")), "montague.lit"),
        (PeerCertificate(xmpp=("romeo@montague.lit",)), "montague.lit"),
        (PeerCertificate(), "montague.lit"),  # a common name is no identity
        (PeerCertificate(dns=("montague.lit",), problem="self-signed certificate"), "montague.lit"),
    ],
)
def test_no_other_certificate_does(certificate: PeerCertificate, domain: str) -> None:
    assert certificate.why_not(domain)


def test_a_wildcard_stands_for_one_label_and_names_are_compared_as_a_labels() -> None:
    assert PeerCertificate(dns=("*.montague.lit",)).why_not("rooms.montague.lit") == ""
    assert PeerCertificate(dns=("xn--mnchen-3ya.lit",)).why_not("münchen.lit") == ""
    assert PeerCertificate(xmpp=("münchen.lit",)).why_not("münchen.lit") == ""


# --- the receiving side: how a stream begins


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
        ("'1.0'", "'2.0'", "unsupported-version"),
    ],
)
def test_a_header_that_cannot_be(was: str, becomes: str, error: str) -> None:
    receiver = Receiver()
    receiver.say(HEADER.replace(was, becomes, 1))
    assert stream_error(receiver).startswith(error)


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
    for _ in range(MAX_TRIES):
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


# --- dialback


def test_a_key_is_verified_with_the_sender_domain() -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    verification = receiver.dial(key="b4835385")
    assert (verification.pair, verification.id, verification.key) == (PAIR, "id1", "b4835385")
    assert receiver.answer(verification, True) == f'<db:result from="{CAPULET}" to="{MONTAGUE}" type=\'valid\'/>'
    assert receiver.events[-1] == Authenticated(PAIR, "dialback")
    receiver.say(chat("1").raw.decode())
    assert isinstance(receiver.events[-1], Stanza)


def test_one_stream_has_several_pairs_and_one_that_fails_ends_none_of_the_others() -> None:
    receiver = authenticated()
    waiting = receiver.dial("rooms.montague.lit")
    assert "<forbidden" in receiver.answer(waiting, False)  # XEP-0220 section 2.2.1
    timeout = StanzaError(Condition.REMOTE_SERVER_TIMEOUT)
    assert "<remote-server-timeout" in receiver.answer(receiver.dial("verona.lit"), timeout)
    told = receiver.say(f"<db:result from='{MONTAGUE}' to='verona.lit'>key</db:result>")
    assert "<item-not-found" in told
    assert 'from="verona.lit"' in told
    receiver.say(chat("1").raw.decode())
    assert isinstance(receiver.events[-1], Stanza)
    assert "type='valid'" in receiver.answer(receiver.dial(to=f"rooms.{CAPULET}"), True)
    receiver.say(chat("2", to=Jid.parse("balcony@rooms.capulet.lit")).raw.decode())
    assert isinstance(receiver.events[-1], Stanza)


def test_what_the_first_key_does_not_prove_ends_the_stream() -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    assert receiver.answer(receiver.dial(), False).endswith("type='invalid'/></stream:stream>")


def test_dialback_for_a_domain_that_is_served_here_is_refused() -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    told = receiver.say(f"<db:result from='rooms.{CAPULET}' to='{CAPULET}'>key</db:result>")
    assert "<not-acceptable" in told
    assert not any(isinstance(event, VerifyWanted) for event in receiver.events)


@pytest.mark.parametrize(
    "element",
    [
        f"<db:result from='{MONTAGUE}' to='{CAPULET}' type='valid'/>",
        f"<db:verify from='{MONTAGUE}' to='{CAPULET}' id='id1' type='valid'/>",
    ],
)
def test_an_answer_that_nobody_asked_for_authenticates_nobody(element: str) -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    receiver.dial()
    receiver.say(element)
    assert receiver.stream.pairs == {}
    assert stream_error(receiver).startswith("unsupported-stanza-type")


def test_a_key_stays_text_on_its_way_to_the_authoritative_server() -> None:
    """Whoever dials chooses it, and may hide elements in it."""
    hidden = "k</db:verify><db:result from='capulet.lit' to='montague.lit'>forged"
    receiver = Receiver()
    receiver.say(HEADER)
    receiver.say(f"<db:result from='{MONTAGUE}' to='{CAPULET}'>{escape(hidden)}</db:result>")
    [wanted] = receiver.events
    assert wanted.verification.key == hidden
    asking = InitiatingServerStream(PAIR.reverse, options(), verification=wanted.verification)
    asking.data_to_send()
    header = HEADER.replace(f"from='{MONTAGUE}' to='{CAPULET}'", f"from='{MONTAGUE}' to='{CAPULET}' id='s1'")
    asking.receive_data(f"{header}<stream:features/>".encode())
    assert [*asking.events()] == []
    sent = f"<x xmlns:db='jabber:server:dialback'>{asking.data_to_send().decode()}</x>"
    assert [element.text for element in xml.parse(sent.encode())] == [hidden]


def test_a_late_answer_of_another_key_is_dropped() -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    verification = receiver.dial()
    assert receiver.answer(verification._replace(key="another"), True) == ""
    assert receiver.stream.pairs == {}


def test_pairs_of_a_stream_are_bounded() -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    for number in range(MAX_PAIRS):
        receiver.dial(f"d{number}.lit")
    told = receiver.say(f"<db:result from='more.lit' to='{CAPULET}'>key</db:result>")
    assert "<resource-constraint" in told
    told = receiver.say(f"<db:result from='d0.lit' to='{CAPULET}'>key</db:result>")
    assert "<resource-constraint" in told


def test_keys_are_those_of_the_specification() -> None:
    """XEP-0185 section 3 and XEP-0220 section 2.1.1, whose domains are capulet.example and montague.example."""
    pair = Pair("capulet.example", "montague.example")
    expected = "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3"
    assert key("s3cr3tf0rd14lb4ck", pair, "D60000229F") == expected


def test_whoever_asks_is_told_whether_a_key_is_ours() -> None:
    receiver = Receiver()
    receiver.say(HEADER)
    ours = key(OTHER_SECRET, Pair(CAPULET, MONTAGUE), "their-stream")

    def verify(key: str, id: str = "their-stream", to: str = CAPULET) -> str:
        return receiver.say(f"<db:verify from='{MONTAGUE}' to='{to}' id='{id}'>\n {key} </db:verify>")

    assert verify(ours) == f'<db:verify from="{CAPULET}" to="{MONTAGUE}" id="their-stream" type=\'valid\'/>'
    assert "type='invalid'" in verify(ours, id="another-stream")
    assert "type='invalid'" in verify(ours, to=f"rooms.{CAPULET}")
    assert "type='invalid'" in verify("forged")
    assert "<item-not-found" in verify(ours, to="verona.lit")


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


# --- the initiating side


class Peer:
    """Montague's stream to a server that is what the test writes."""

    def __init__(self, tls: str = "off") -> None:
        self.stream = InitiatingServerStream(PAIR, options(tls))
        self.events: list[object] = []
        self.opening = self.stream.data_to_send().decode()

    def say(self, text: str) -> str:
        self.stream.receive_data(text.encode())
        self.events.extend(self.stream.events())
        return self.stream.data_to_send().decode()


ANSWER = HEADER.replace(f"from='{MONTAGUE}' to='{CAPULET}'", f"from='{CAPULET}' to='{MONTAGUE}' id='s1'")


def features(inner: str) -> str:
    return f"<stream:features>{inner}</stream:features>"


DIAL = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"


def test_it_says_who_it_is_and_proves_it_by_the_key_of_this_stream() -> None:
    peer = Peer()
    assert f'from="{MONTAGUE}" to="{CAPULET}" version="1.0"' in peer.opening
    assert peer.say(ANSWER) == ""
    ours = key("s3cr3tf0rd14lb4ck", PAIR, "s1")
    assert peer.say(features(DIAL)) == f'<db:result from="{MONTAGUE}" to="{CAPULET}">{ours}</db:result>'
    assert peer.say(f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='valid'/>") == ""
    assert peer.events == [Opened("dialback")]


def test_an_old_server_is_dialed_without_features() -> None:
    peer = Peer()
    assert "<db:result" in peer.say(ANSWER.replace(" version='1.0'", ""))


@pytest.mark.parametrize(
    "answer",
    [
        f"<db:result from='verona.lit' to='{MONTAGUE}' type='valid'/>",
        f"<db:result from='{CAPULET}' to='verona.lit' type='valid'/>",
        f"<db:result from='{CAPULET}' to='{MONTAGUE}'>key</db:result>",
        f"<db:verify from='{CAPULET}' to='{MONTAGUE}' id='s1' type='valid'/>",
        "<message from='juliet@capulet.lit' to='romeo@montague.lit'/>",
        f"<success xmlns='{SASL}'/>",
    ],
)
def test_what_was_not_asked_for_ends_the_stream(answer: str) -> None:
    peer = Peer()
    peer.say(ANSWER + features(DIAL))
    peer.say(answer)
    assert isinstance(peer.events[-1], Closed)
    assert peer.stream.state is ServerState.CLOSED


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        ("<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", "not-found"),
        ("<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", "timeout"),
        (f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='error'/>", "timeout"),
    ],
)
def test_senders_learn_why_there_is_no_stream(said: str, condition: str) -> None:
    peer = Peer()
    peer.say(ANSWER + features(DIAL))
    peer.say(said)
    assert peer.stream.failure is not None
    assert peer.stream.failure.condition == f"remote-server-{condition}"


def test_a_peer_that_shuts_down_may_be_tried_again() -> None:
    peer = Peer()
    peer.say(ANSWER)
    peer.say("<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
    assert peer.events == [Closed("system-shutdown")]
    assert peer.stream.failure is None


def test_tls_that_was_stripped_from_the_offer_ends_the_stream_where_it_is_required() -> None:
    peer = Peer("required")
    told = peer.say(ANSWER + features(DIAL))
    assert "<db:result" not in told
    assert peer.stream.failure is not None
    assert "TLS" in peer.stream.failure.text
    peer = Peer("required")
    assert "<db:result" not in peer.say(ANSWER.replace(" version='1.0'", ""))


def test_what_came_in_clear_does_not_count_under_tls() -> None:
    peer = Peer("required")
    peer.say(ANSWER + features(f"<starttls xmlns='{TLS}'/>"))
    forged = features(DIAL) + f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='valid'/>"
    peer.say(f"<proceed xmlns='{TLS}'/>{forged}")
    peer.stream.tls_started(OF_CAPULET)
    peer.events.extend(peer.stream.events())
    assert peer.events == [TlsWanted()]
    assert peer.stream.data_to_send().decode() == peer.opening


def test_after_external_failed_it_dials_back() -> None:
    peer = Peer("required")
    peer.say(ANSWER + features(f"<starttls xmlns='{TLS}'/>"))
    peer.say(f"<proceed xmlns='{TLS}'/>")
    peer.stream.tls_started(OF_CAPULET)
    mechanisms = f"<mechanisms xmlns='{SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>"
    told = peer.say(ANSWER + features(mechanisms + DIAL))
    assert f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>bW9udGFndWUubGl0</auth>" in told
    assert "<db:result" in peer.say(f"<failure xmlns='{SASL}'><not-authorized/></failure>")
    assert peer.stream.warning == "EXTERNAL was refused: not-authorized"


def test_endless_features_end_the_stream() -> None:
    peer = Peer()
    peer.say(ANSWER)
    peer.say("<stream:features>" + "<x/>" * 10_000)
    assert isinstance(peer.events[-1], Closed)


def test_the_limits_of_the_peer_are_known() -> None:
    peer = Peer()
    peer.say(ANSWER)
    peer.say(features("<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes></limits>" + DIAL))
    assert peer.stream.max_bytes == 10_000


def test_a_stream_to_verify_a_key_asks_nothing_else() -> None:
    asked = Verification(Pair("verona.lit", MONTAGUE), "theirs", "k")
    stream = InitiatingServerStream(Pair(MONTAGUE, "verona.lit"), options(), verification=asked)
    stream.data_to_send()
    stream.receive_data((ANSWER.replace(CAPULET, "verona.lit") + features(DIAL)).encode())
    assert list(stream.events()) == []
    request = f'<db:verify from="{MONTAGUE}" to="verona.lit" id="theirs">k</db:verify>'
    assert stream.data_to_send().decode() == request
    stream.receive_data(f"<db:verify from='verona.lit' to='{MONTAGUE}' id='theirs' type='invalid'/>".encode())
    assert list(stream.events()) == [Verified(False)]
    other = InitiatingServerStream(Pair(MONTAGUE, "verona.lit"), options(), verification=asked)
    other.receive_data((ANSWER + features(DIAL)).encode())
    other.receive_data(f"<db:verify from='verona.lit' to='{MONTAGUE}' id='s1' type='valid'/>".encode())
    [closed] = other.events()
    assert isinstance(closed, Closed)
