"""The SMS gateway between stanzas and phones: a real message centre in front of it, no socket and no server."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from twisted.logger import capturedLogs, formatEvent

from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.gateways.sms.gateway import SmsSettings
from cluster.protocols.smpp.compose import short_messages
from cluster.protocols.smpp.constants import CommandId
from cluster.protocols.smpp.pdu import Pdu
from cluster.trace.hop import Event
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import error_of, make
from tests.unit.gateways.sms.world import (
    FC1,
    JULIET,
    NOBODY,
    PHONE,
    RANGE,
    ROMEO,
    SHORT_CODE,
    GatewayWorld,
    chat,
    refused,
    say,
    told,
)

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
    with pytest.raises(ValueError, match="unknown recipient"):
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
    assert receipt.tree.find(f"{{{RECEIPTS}}}received").get("id") == "m1"
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


# --- settings, registration and traces


@pytest.mark.parametrize("number", ["", "romeo", "+", "4" * 21, "44 44", "٤٤"])
def test_what_is_no_number_of_a_gateway(number: str) -> None:
    with pytest.raises(ValueError, match="use one like 4444"):
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


# --- receipts of other message centres


@pytest.mark.parametrize(
    ("id", "told_id"), [("1A2B3C", "1715004"), ("1A2B3C", "1a2b3c"), ("0000000042", "42"), ("42", "0042")]
)
@pytest.mark.parametrize("state", ["DELIVRD", "DELIVERED"])
def test_a_receipt_that_spells_its_id_in_another_way(running: GatewayWorld, id: str, told_id: str, state: str) -> None:
    running.smsc._centre._new_id = lambda: id
    running.run(running.smsc.administration.phone_switch(PHONE, False))
    say(running, chat("hi", receipt=True))
    _receipt(running, f"id:{told_id} sub:001 dlvrd:001 stat:{state} err:000 text:hi")
    (receipt,) = running.take_sent()
    assert receipt.tree.find(f"{{{RECEIPTS}}}received") is not None


def test_a_receipt_for_nothing_is_logged(running: GatewayWorld) -> None:
    with capturedLogs() as lines:
        _receipt(running, "id:4711 sub:001 dlvrd:001 stat:DELIVRD err:000 text:hi")
    assert any("no message" in formatEvent(line) and "4711" in formatEvent(line) for line in lines)
    assert running.take_sent() == []


def test_what_waits_for_receipts_is_small(running: GatewayWorld) -> None:
    """10,000 may wait; one can come with 250 KB of what is no text."""
    running.run(running.smsc.administration.phone_switch(PHONE, False))
    large = chat("hi", receipt=True)
    large = msgspec.structs.replace(
        large, raw=large.raw.replace(b"<body>", b"<x xmlns='urn:x'>" + b"x" * 200_000 + b"</x><body>")
    )
    say(running, large)
    (awaited,) = running.run(running.store.awaited.load()).values()
    assert len(awaited.stanza.raw) <= 2_048
    running.run(running.smsc.administration.phone_switch(PHONE, True))
    running.go()
    (receipt,) = running.take_sent()
    assert (receipt.to, receipt.from_) == (ROMEO, FC1)


def _receipt(world: GatewayWorld, text: str) -> None:
    sm = msgspec.structs.replace(short_messages(PHONE, SHORT_CODE, text, 5)[0].sm, esm_class=4)
    world.smsc._centre.submit(Pdu(CommandId.SUBMIT_SM, 0, sm))
    world.go()
