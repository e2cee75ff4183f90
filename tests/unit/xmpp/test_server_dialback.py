"""Dialback (XEP-0220) on the receiving side of a stream: keys that it has verified, and keys that it verifies."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.servers.dialback import Pair, key
from cluster.xmpp.streams.servers.events import Authenticated, VerifyWanted
from cluster.xmpp.streams.servers.initiating import InitiatingServerStream
from cluster.xmpp.streams.servers.receiving import MAX_PAIRS
from tests.unit.xmpp.server_streams import (
    CAPULET,
    HEADER,
    MONTAGUE,
    OTHER_SECRET,
    PAIR,
    Receiver,
    authenticated,
    chat,
    options,
    stream_error,
)


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
    """The peer chooses the key, and may hide elements in it."""
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
