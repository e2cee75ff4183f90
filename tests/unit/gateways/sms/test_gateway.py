"""The SMS gateway between stanzas and phones: a real message centre in front of it, no socket and no server."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from twisted.internet.error import ConnectionLost

from cluster.gateways.connection import Overloaded
from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.gateways.smpp.compose import ShortMessage, short_messages
from cluster.gateways.smpp.concatenation import MISSING, PATIENCE_S
from cluster.gateways.smpp.constants import CommandId
from cluster.gateways.smpp.pdu import Pdu
from cluster.gateways.sms.gateway import SmsSettings
from cluster.gateways.sms.inbound import EXPLANATION
from cluster.gateways.sms.outbound import MAX_WAIT_S, MAX_WAITING
from cluster.gateways.sms.store import Submission
from cluster.router.stanza_id import with_stanza_id
from cluster.trace.hop import Event
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, error_of, make
from tests.unit.gateways.sms.world import FC1, JULIET, NOBODY, PHONE, RANGE, ROMEO, SHORT_CODE, GatewayWorld


@pytest.fixture
def world() -> GatewayWorld:
    return GatewayWorld()


@pytest.fixture
def running(world: GatewayWorld) -> GatewayWorld:
    world.start_smsc()
    world.start_gateway()
    return world


def chat(
    text: str,
    from_: Jid = ROMEO,
    to: Jid = FC1,
    *,
    receipt: bool = False,
    id: str = "m1",
    subject: str = "",
    trace: str = "",
) -> Stanza:
    payload = []
    for name, value in (("subject", subject), ("body", text)):
        if value:
            child = Element(f"{{{CLIENT}}}{name}")
            child.text = value
            payload.append(child)
    if receipt:
        payload.append(Element(f"{{{RECEIPTS}}}request"))
    made = make("message", to=to, from_=from_, id=id, type="chat", payload=payload)
    return msgspec.structs.replace(made, trace_id=trace)


def say(world: GatewayWorld, *messages: Stanza) -> None:
    for message in messages:
        world.run(world.gateway.on_message(message))
    world.go()


def told(world: GatewayWorld) -> list[tuple[str, str, str]]:
    """From, to and body of what the gateway has sent."""
    return [
        (str(stanza.from_), str(stanza.to), stanza.tree.findtext(f"{{{CLIENT}}}body") or "")
        for stanza in world.take_sent()
    ]


def refused(world: GatewayWorld, message: Stanza) -> StanzaError:
    with pytest.raises(StanzaError) as caught:
        say(world, message)
    return caught.value


# --- a message centre with faults


def test_a_message_centre_that_is_down(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.fault_set(down=True))
    running.go()
    assert not running.gateway.bound
    say(running, chat("hi"))
    running.go(30)
    assert running.inbox() == []
    running.run(running.smsc.administration.fault_clear())
    running.go(30)
    assert running.inbox() == ["hi"]
    assert running.take_sent() == []


def test_a_message_centre_that_is_slow(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.fault_set(delay_s=20.0))
    say(running, *[chat(str(number)) for number in range(25)])
    assert running.inbox() == []
    running.go(61)
    assert running.inbox() == [str(number) for number in range(25)]
    assert running.take_sent() == []


def test_a_message_centre_that_throttles(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.fault_set(max_per_s=2.0))
    say(running, *[chat(str(number)) for number in range(20)])
    running.go(60)
    assert sorted(running.inbox(), key=int) == [str(number) for number in range(20)]
    assert running.take_sent() == []


@pytest.mark.parametrize(
    ("status", "condition"),
    [
        ("ESME_RINVDSTADR", "item-not-found"),
        ("ESME_RINVSRCADR", "not-allowed"),
        ("ESME_RINVMSGLEN", "not-acceptable"),
        ("ESME_RSYSERR", "undefined-condition"),
    ],
)
def test_a_message_centre_that_refuses(running: GatewayWorld, status: str, condition: str) -> None:
    running.run(running.smsc.administration.fault_set(refuse=status))
    say(running, chat("hi", id="m7"))
    (error,) = running.take_sent()
    assert (error.id, error_of(error).condition) == ("m7", condition)
    assert status in error_of(error).text
    running.run(running.smsc.administration.fault_clear())
    say(running, chat("again"))
    assert running.inbox() == ["again"]


# --- to the phone


def test_a_message_and_its_answer(running: GatewayWorld) -> None:
    say(running, chat("Wherefore art thou?"))
    assert running.inbox() == ["Wherefore art thou?"]
    running.phone_says("Here.")
    assert told(running) == [(str(FC1), "romeo@montague.lit", "Here.")]


def test_the_phone_sees_the_gateways_number_or_a_registered_one(running: GatewayWorld) -> None:
    running.run(running.gateway.registrar.register(JULIET.bare, {"phone": RANGE + "1111"}))
    say(running, chat("1"), chat("2", JULIET))
    inbox = running.run(running.smsc.administration.phone_inbox(PHONE))
    assert [(text["from"], text["text"]) for text in inbox] == [(SHORT_CODE, "1"), (RANGE + "1111", "2")]
    running.phone_says("to romeo")
    running.phone_says("to juliet", RANGE + "1111")
    assert [to for _, to, _ in told(running)] == ["romeo@montague.lit", "juliet@capulet.lit"]


@pytest.mark.parametrize("restart", [False, True])
def test_the_answer_to_a_registered_number_of_nobodys_range(world: GatewayWorld, tmp_path: Path, restart: bool) -> None:
    """A number that people have already, and registered with the gateway."""
    world.start_smsc(tmp_path)
    world.start_gateway()
    world.run(world.gateway.registrar.register(JULIET.bare, {"phone": "+41791234567"}))
    say(world, chat("1", JULIET))
    if restart:
        world.run(world.smsc.stop())
        world.start_smsc(tmp_path)
        world.go(10)
    (text,) = world.run(world.smsc.administration.phone_inbox(PHONE))
    assert text["from"] == "+41791234567"
    world.phone_says("2", "+41791234567")
    assert [to for _, to, _ in told(world)] == ["juliet@capulet.lit"]
    with pytest.raises(ValueError, match="nobody is reached"):
        world.phone_says("3", "+41790000000")


def test_the_answer_goes_to_who_wrote_last(running: GatewayWorld) -> None:
    say(running, chat("1"), chat("2", JULIET))
    running.phone_says("a")
    say(running, chat("3"))
    running.phone_says("b")
    assert [to for _, to, _ in told(running)] == ["juliet@capulet.lit", "romeo@montague.lit"]


def test_subjects_are_kept_and_chat_states_are_not_sent(running: GatewayWorld) -> None:
    composing = make(
        "message", to=FC1, from_=ROMEO, payload=[Element("{http://jabber.org/protocol/chatstates}composing")]
    )
    say(running, chat("tonight", subject="Balcony"), composing, chat("  "))
    assert running.inbox() == ["(Balcony) tonight"]


def test_long_texts_arrive_whole(running: GatewayWorld) -> None:
    words = "Two households, both alike in dignity, " * 20 + "🌹"
    say(running, chat(words))
    assert running.inbox() == [words]
    running.phone_says(words[::-1])
    assert told(running) == [(str(FC1), "romeo@montague.lit", words[::-1])]
    assert running.run(running.store.pieces.load()) == {}
    assert running.run(running.store.submissions.load()) == {}


@pytest.mark.parametrize(
    ("to", "condition"),
    [
        ("romeo@sms.montague.lit", Condition.ITEM_NOT_FOUND),
        ("+12@sms.montague.lit", Condition.ITEM_NOT_FOUND),
        ("+39333123456789012@sms.montague.lit", Condition.ITEM_NOT_FOUND),
        ("4444@sms.montague.lit", Condition.ITEM_NOT_FOUND),
    ],
)
def test_what_is_no_phone_number(running: GatewayWorld, to: str, condition: Condition) -> None:
    assert refused(running, chat("hi", to=Jid.parse(to))).condition is condition


def test_a_number_may_be_written_as_people_do(running: GatewayWorld) -> None:
    assert running.gateway.normal("+39 (333) 123-45.67") == PHONE
    say(running, chat("hi", to=Jid.parse(r"00393331234567@sms.montague.lit")))
    assert running.inbox() == ["hi"]


def test_what_is_too_long_or_for_a_room(running: GatewayWorld) -> None:
    assert refused(running, chat("ж" * 67 * 256)).condition is Condition.NOT_ACCEPTABLE
    room = make("message", to=FC1, from_=ROMEO, type="groupchat", payload=[*chat("hi").tree])
    assert refused(running, room).condition is Condition.SERVICE_UNAVAILABLE


# --- receipts


def test_a_delivery_becomes_a_receipt(running: GatewayWorld) -> None:  # XEP-0184 section 5.2
    say(running, chat("a" * 200, receipt=True))
    (receipt,) = running.take_sent()
    assert (receipt.to, receipt.from_) == (ROMEO, FC1)
    assert receipt.tree.find(f"{{{RECEIPTS}}}received").get("id") == "m1"  # type: ignore[union-attr]
    say(running, chat("hi"))
    assert running.take_sent() == []


def test_a_number_that_nobody_has(running: GatewayWorld) -> None:
    message = chat("hi", to=Jid.parse(f"{NOBODY}@sms.montague.lit"))
    say(running, message)
    (error,) = running.take_sent()
    assert (error.type, error.to, error.id) == ("error", ROMEO, "m1")
    assert error_of(error).condition is Condition.ITEM_NOT_FOUND
    assert "UNDELIVERABLE, error 001" in error_of(error).text


def test_a_phone_that_is_off_for_too_long(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.phone_switch(PHONE, False))
    say(running, chat("hi", receipt=True))
    assert running.take_sent() == []
    running.go(86_500.0)
    (error,) = running.take_sent()
    assert error_of(error).condition is Condition.RECIPIENT_UNAVAILABLE
    assert error_of(error).type is ErrorType.WAIT


def test_receipts_are_still_told_after_a_restart(running: GatewayWorld) -> None:
    running.run(running.smsc.administration.phone_switch(PHONE, False))
    say(running, chat("hi", receipt=True))
    running.run(running.gateway.stop())
    running.start_gateway()
    running.run(running.smsc.administration.phone_switch(PHONE, True))
    running.go()
    assert [stanza.payloads for stanza in running.take_sent()] == [(f"{RECEIPTS} received",)]
    assert running.run(running.store.awaited.load()) == {}


# --- the message centre is away


def test_messages_wait_for_the_message_centre(world: GatewayWorld) -> None:
    world.start_gateway()
    say(world, *(chat(str(number)) for number in range(5)))
    world.go(30.0)
    world.start_smsc()
    world.go(20.0)
    assert world.inbox() == ["0", "1", "2", "3", "4"]
    assert world.take_sent() == []


def test_messages_survive_the_gateway(world: GatewayWorld) -> None:
    world.start_gateway()
    say(world, *(chat(str(number)) for number in range(5)))
    world.run(world.gateway.stop())
    world.start_smsc()
    world.start_gateway()
    assert world.inbox() == ["0", "1", "2", "3", "4"]
    assert world.run(world.store.submissions.load()) == {}


def test_a_message_whose_answer_never_came_is_not_doubled_by_a_restart(running: GatewayWorld) -> None:
    running.wire.connections[-1].deaf = True
    say(running, chat("a" * 200, receipt=True))
    assert running.inbox() == ["a" * 200]
    running.run(running.gateway.stop())
    running.go(10.0)
    running.start_gateway()
    assert running.inbox() == ["a" * 200]
    assert [stanza.payloads for stanza in running.take_sent()] == [(f"{RECEIPTS} received",)]


@pytest.mark.parametrize("when", ["while it waits", "when it was sent", "after a restart"])
def test_a_message_that_comes_again_is_not_sent_twice(world: GatewayWorld, when: str) -> None:
    """The server may not have heard that the gateway had it; XEP-0359 tells that it is the same."""
    world.start_gateway()
    message = with_stanza_id(chat("hi"), "1", "montague.lit")
    say(world, message)
    if when != "while it waits":
        world.start_smsc()
        world.go(10)
        assert world.inbox() == ["hi"]
    if when == "after a restart":
        world.run(world.gateway.stop())
        world.start_gateway()
    say(world, message, with_stanza_id(chat("hi"), "2", "montague.lit"))
    if when == "while it waits":
        world.start_smsc()
        world.go(10)
    assert world.inbox() == ["hi", "hi"]
    assert world.run(world.store.submissions.load()) == {}


def test_a_message_that_could_not_be_kept_may_come_again(running: GatewayWorld) -> None:
    message = with_stanza_id(chat("hi"), "1", "montague.lit")
    put, table = running.store.submissions.put, running.store.submissions

    async def away(name: str, value: Submission) -> None:
        raise ConnectionLost

    table.put = away  # type: ignore[method-assign]
    with pytest.raises(ConnectionLost):
        say(running, message)
    table.put = put  # type: ignore[method-assign]
    say(running, message)
    assert running.inbox() == ["hi"]


def test_nobody_waits_for_ever(world: GatewayWorld) -> None:
    world.start_gateway()
    say(world, chat("hi"))
    world.go(MAX_WAIT_S + 1)
    (error,) = world.take_sent()
    assert error_of(error).condition is Condition.RECIPIENT_UNAVAILABLE
    assert error_of(error).type is ErrorType.WAIT
    assert "it was not sent" in error_of(error).text
    assert world.run(world.store.submissions.load()) == {}


def test_only_so_many_may_wait(world: GatewayWorld) -> None:
    world.start_gateway()
    for number in range(MAX_WAITING // 250):
        say(world, chat("a" * 153 * 250, id=str(number)))
    error = refused(world, chat("hi"))
    assert (error.condition, error.type) == (Condition.RECIPIENT_UNAVAILABLE, ErrorType.WAIT)


# --- from the phone


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


def _parts(text: str) -> list[ShortMessage]:
    return short_messages(PHONE, SHORT_CODE, text, 77)


def _submit(world: GatewayWorld, part: ShortMessage) -> None:
    world.smsc._centre.submit(Pdu(CommandId.SUBMIT_SM, 0, part.sm, 0, part.tlvs))
    world.go()


# --- settings, registration and traces


@pytest.mark.parametrize("number", ["", "romeo", "+", "4" * 21, "44 44", "٤٤"])
def test_what_is_no_number_of_a_gateway(number: str) -> None:
    with pytest.raises(ValueError, match="take one like 4444"):
        SmsSettings("sms.montague.lit", "montague.lit", number)


def test_a_number_has_one_owner(running: GatewayWorld) -> None:
    registrar = running.gateway.registrar
    running.run(registrar.register(ROMEO.bare, {"phone": "+39 800 11-11"}))
    for user, phone, condition in (
        (JULIET.bare, "+398001111", Condition.CONFLICT),
        (JULIET.bare, "nonsense", Condition.NOT_ACCEPTABLE),
    ):
        with pytest.raises(StanzaError) as caught:
            running.run(registrar.register(user, {"phone": phone}))
        assert caught.value.condition is condition
    running.run(registrar.register(ROMEO.bare, {"phone": "+398002222"}))
    running.run(registrar.register(JULIET.bare, {"phone": "+398001111"}))
    running.run(running.gateway.stop())
    again = running.start_gateway().registrar
    assert running.run(again.users()) == [JULIET.bare, ROMEO.bare]
    assert running.run(again.find(ROMEO.bare)) == {"phone": "+398002222"}
    running.run(again.remove(ROMEO.bare))
    assert running.run(again.find(ROMEO.bare)) is None
    running.run(again.register(JULIET.bare, {"phone": "+398002222"}))


def test_a_trace_goes_to_the_phone_and_back(running: GatewayWorld) -> None:
    say(running, chat("probe", receipt=True, trace="t1"))
    (receipt,) = running.take_sent()
    assert receipt.trace_id == "t1"
    seen = [(hop.node, hop.event, hop.kind) for hop in running.hops if hop.trace_id == "t1"]
    assert seen == [
        ("g1", Event.ROUTED, "message"),
        ("fn1", Event.RECEIVED, "sms"),
        ("fn1", Event.ROUTED, "sms"),
        ("fc1", Event.DELIVERED, "sms"),
        ("fn1", Event.ENQUEUED, "receipt"),
        ("fn1", Event.DELIVERED, "receipt"),
    ]
    running.hops.clear()
    running.phone_says("back", trace_id="t2")
    (answer,) = running.take_sent()
    assert answer.trace_id == "t2"
    assert [(hop.node, hop.event) for hop in running.hops] == [
        ("fc1", Event.SENT), ("fn1", Event.RECEIVED), ("fn1", Event.ENQUEUED), ("fn1", Event.DELIVERED),
    ]  # fmt: skip
