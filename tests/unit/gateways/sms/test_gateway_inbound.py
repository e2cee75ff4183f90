"""What phones send through the SMS gateway, and to whom it goes."""

from __future__ import annotations

import msgspec
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost

from cluster.components.connection import NotCarried, Overloaded
from cluster.gateways.sms import inbound
from cluster.gateways.sms.gateway import SEND_TIMEOUT_S
from cluster.gateways.sms.inbound import EXPLANATION
from cluster.protocols.smpp import concatenation
from cluster.protocols.smpp.compose import ShortMessage, short_messages
from cluster.protocols.smpp.concatenation import MISSING, PATIENCE_S
from cluster.protocols.smpp.constants import CommandId, Tag
from cluster.protocols.smpp.pdu import Pdu
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import make
from tests.network import watched_log
from tests.unit.gateways.sms.world import FC1, PHONE, ROMEO, SHORT_CODE, GatewayWorld, chat, say, told


@pytest.mark.parametrize(
    ("text", "to", "body"),
    [
        ("juliet@capulet.lit: It is the east", "juliet@capulet.lit", "It is the east"),
        ("@benvolio part, fools!", "benvolio@montague.lit", "part, fools!"),
        ("@juliet@capulet.lit: hi", "juliet@capulet.lit", "hi"),
        ("Juliet@Capulet.LIT/balcony:hi", "juliet@capulet.lit/balcony", "hi"),
        ("mail me: a@b c", "romeo@montague.lit", "mail me: a@b c"),
        ("@", "romeo@montague.lit", "@"),
        ("@@ hi", "romeo@montague.lit", "@@ hi"),
    ],
)
def test_a_text_may_name_whom_it_is_for(running: GatewayWorld, text: str, to: str, body: str) -> None:
    say(running, chat("hi"))
    running.phone_says(text)
    running.phone_says("again")
    assert told(running) == [(str(FC1), to, body), (str(FC1), str(Jid.parse(to).bare), "again")]


def test_a_text_that_the_server_does_not_take_in_time_comes_again(running: GatewayWorld) -> None:
    """Found by `xmpplab simulate`: its exception was logged."""
    running.settles = Deferred()
    with watched_log() as failures:
        running.phone_says("juliet@capulet.lit: hi")
        running.go(SEND_TIMEOUT_S)
        running.settles = None
        running.go(60)
    assert not failures
    first, second = told(running)
    assert first == second == (str(FC1), "juliet@capulet.lit", "hi")


def test_a_text_for_nobody_is_explained_once(running: GatewayWorld) -> None:
    running.phone_says("hello?")
    running.phone_says("hello??")
    assert running.inbox() == [EXPLANATION]
    assert running.take_sent() == []


def test_a_bounced_message_is_told_to_the_phone(running: GatewayWorld) -> None:
    running.phone_says("tybalt@capulet.lit: peace")
    (message,) = running.take_sent()
    error = message.error(StanzaError(Condition.SERVICE_UNAVAILABLE))
    say(running, error, error)
    assert running.inbox() == ["Not delivered to tybalt@capulet.lit: service-unavailable"]


def test_an_error_for_what_no_phone_sent_is_ignored(running: GatewayWorld) -> None:
    say(
        running, make("message", to=FC1, from_=ROMEO, id="sms-x", type="error", payload=[Element(f"{{{CLIENT}}}error")])
    )
    assert running.inbox() == []


def test_what_xml_cannot_hold_is_replaced(running: GatewayWorld) -> None:
    say(running, chat("hi"))
    running.phone_says("ж\0\x1f</body>&\ufffe")
    ((_, _, body),) = told(running)
    assert body == "ж\ufffd\ufffd</body>&\ufffd"


def test_a_message_waits_in_the_message_centre_while_the_server_is_away(running: GatewayWorld) -> None:
    say(running, chat("hi"))
    running.refuse_with = Overloaded("1000 stanzas wait")
    running.phone_says("a" * 200)
    assert running.take_sent() == []
    running.refuse_with = None
    running.go(5.0)
    assert told(running) == [(str(FC1), "romeo@montague.lit", "a" * 200)]


def test_a_repeated_message_has_the_same_id(running: GatewayWorld) -> None:
    """The message centre did not hear that the gateway has it."""
    say(running, chat("hi"))
    running.wire.connections[-1].peer.deaf = True
    running.phone_says("1")
    running.wire.cut()
    running.go(5.0)
    running.phone_says("2")
    first, again, second = running.take_sent()
    assert first == again
    assert second.id != first.id


def test_parts_survive_the_gateway(running: GatewayWorld) -> None:
    say(running, chat("hi"))
    first, second = _parts("a" * 200)
    _submit(running, first)
    running.run(running.gateway.stop())
    running.start_gateway()
    _submit(running, second)
    assert told(running) == [(str(FC1), "romeo@montague.lit", "a" * 200)]


def test_what_came_of_a_long_message_is_passed_on(running: GatewayWorld) -> None:
    say(running, chat("hi"))
    _submit(running, _parts("a" * 200)[1])
    running.go(PATIENCE_S * 1.5)
    assert told(running) == [(str(FC1), "romeo@montague.lit", MISSING + "a" * 47)]
    assert running.run(running.store.pieces.load()) == {}


def test_a_wall_clock_that_is_set_tears_no_message_apart(running: GatewayWorld) -> None:
    say(running, chat("hi"))
    first, second = _parts("a" * 200)
    _submit(running, first)
    running.wall_clock_set_by_s = 600.0
    running.go(PATIENCE_S / 2)
    _submit(running, second)
    assert told(running) == [(str(FC1), "romeo@montague.lit", "a" * 200)]


def _parts(text: str) -> list[ShortMessage]:
    return short_messages(PHONE, SHORT_CODE, text, 77)


def _submit(world: GatewayWorld, part: ShortMessage) -> None:
    world.smsc._centre.submit(Pdu(CommandId.SUBMIT_SM, 0, part.sm, 0, part.tlvs))
    world.go()


@pytest.mark.parametrize("esm_class", [0x20, 0x08, 0x10, 0x18])
def test_a_report_is_no_message_of_a_person(running: GatewayWorld, esm_class: int) -> None:
    """SMPP 3.4 section 5.2.12: an intermediate notification, acknowledgements of a phone and its user, an abort."""
    say(running, chat("hi"))
    sm = msgspec.structs.replace(_parts("done")[0].sm, esm_class=esm_class)
    _submit(running, ShortMessage(sm, {}))
    running.phone_says("next")
    assert told(running) == [(str(FC1), "romeo@montague.lit", "next")]


def test_a_text_that_no_message_can_hold_is_rejected_for_good(running: GatewayWorld) -> None:
    """ESME_RX_R_APPN, so that the message centre does not bring it again and again."""
    say(running, chat("hi"))
    running.refuse_with = NotCarried("it is too large")
    running.phone_says("large")
    running.refuse_with = None
    running.phone_says("next")
    running.go(60.0)
    assert told(running) == [(str(FC1), "romeo@montague.lit", "next")]
    assert running.smsc._centre.waiting == 0


def test_a_part_that_is_none_is_refused(running: GatewayWorld) -> None:
    """No phone writes parts of 60,000 octets, and 255 of them would be 15 MiB."""
    say(running, chat("hi"))
    first, _ = _parts("a" * 200)
    sm = msgspec.structs.replace(first.sm, short_message=b"")
    octets = first.sm.short_message[:6] + b"x" * 60_000
    _submit(running, ShortMessage(sm, {**first.tlvs, Tag.MESSAGE_PAYLOAD: octets}))
    assert running.run(running.store.pieces.load()) == {}
    assert running.smsc._centre.waiting == 0


def test_first_parts_that_never_end_are_bounded(running: GatewayWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory and in the store; what came of the oldest is passed on."""
    monkeypatch.setattr(concatenation, "MAX_BYTES", 5_000)
    say(running, chat("hi"))
    for reference in range(100):
        first, *_ = short_messages(PHONE, SHORT_CODE, "a" * 153 * 9, reference)
        _submit(running, first)
    kept = len(running.run(running.store.pieces.load()))
    assert 0 < kept <= 11
    assert len(told(running)) == 100 - kept


def test_phones_that_were_told_how_to_write_are_bounded(running: GatewayWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound, "MAX_EXPLAINED", 10)
    for number in range(100):
        sm = short_messages(f"+3933300000{number:02}", SHORT_CODE, "hello?", number)[0]
        _submit(running, sm)
    assert len(running.gateway._inbound._explained) == 10


def test_a_text_comes_again_when_redis_is_back(running: GatewayWorld) -> None:
    put = running.store.correspondents.put

    async def away(name: str, value: object) -> None:
        raise ConnectionLost

    running.store.correspondents.put = away
    with watched_log() as failures:
        running.phone_says("tybalt@capulet.lit: peace")
        running.go(1.0)
        running.store.correspondents.put = put
        running.go(60.0)
    assert not failures
    assert {str(message.to) for message in running.take_sent()} == {"tybalt@capulet.lit"}
