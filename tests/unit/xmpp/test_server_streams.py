"""Both sides of a stream between servers together: how they authenticate, and what flows."""

from __future__ import annotations

import pytest

from cluster.xmpp.errors import Condition
from cluster.xmpp.streams.events import TlsWanted
from cluster.xmpp.streams.servers.certificate import NO_CERTIFICATE, PeerCertificate
from cluster.xmpp.streams.servers.events import Opened
from cluster.xmpp.streams.servers.stream import ServerState
from cluster.xmpp.streams.sm import StreamManagement, Unacknowledged
from tests.unit.xmpp.server_streams import (
    GOOD,
    MONTAGUE,
    OF_CAPULET,
    PAIR,
    Joined,
    chat,
)


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
