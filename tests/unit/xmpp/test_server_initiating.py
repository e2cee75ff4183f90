"""The initiating side of a stream between servers: how it authenticates, and which answers it accepts."""

from __future__ import annotations

import pytest

from cluster.xmpp.streams.events import Closed, TlsWanted
from cluster.xmpp.streams.servers.dialback import Pair, Verification, key
from cluster.xmpp.streams.servers.events import Opened, Verified
from cluster.xmpp.streams.servers.initiating import InitiatingServerStream
from cluster.xmpp.streams.servers.stream import ServerState
from tests.unit.xmpp.server_streams import (
    CAPULET,
    HEADER,
    MONTAGUE,
    OF_CAPULET,
    PAIR,
    options,
)

TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


class Peer:
    """Montague's stream to a server whose bytes the test writes."""

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
