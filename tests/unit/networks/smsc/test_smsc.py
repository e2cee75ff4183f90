"""The lab's message centre: who may bind, phones, receipts and expiry."""

from __future__ import annotations

import msgspec
import pytest
from twisted.internet.task import Clock

from cluster.networks.smsc import centre, esmes, phone
from cluster.networks.smsc.configuration import EsmeAccount
from cluster.networks.smsc.esmes import BIND_TIMEOUT_S, MAX_UNANSWERED
from cluster.networks.smsc.limits import Limits
from cluster.protocols.smpp.compose import short_messages
from cluster.protocols.smpp.constants import CommandId, CommandStatus
from cluster.protocols.smpp.pdu import Bind, Pdu, Sm
from cluster.protocols.smpp.receipt import receipt_of
from cluster.protocols.smpp.session import SmppSession
from tests.unit.gateways.sms.world import (
    NOBODY,
    OTHER_PHONE,
    PASSWORD,
    PHONE,
    SETTINGS,
    SHORT_CODE,
    START_UTC_S,
    Answers,
    Delivered,
    World,
)


class Client:
    """An ESME that says what it is told to say."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.session = SmppSession(world.clock, self)
        self.requests: list[Pdu] = []
        self.lost = False

        class Factory:
            buildProtocol = staticmethod(lambda address: self.session)

        world.wire.connect(Factory)

    def on_request(self, session: SmppSession, pdu: Pdu) -> None:
        self.requests.append(pdu)

    def on_lost(self, session: SmppSession) -> None:
        self.lost = True

    def ask(self, command_id: CommandId, body: Bind | Sm) -> Pdu:
        answers: list[Pdu] = []
        self.session.request(command_id, body).addBoth(answers.append)
        self.world.go()
        return answers[0]

    def bind(self, command_id: CommandId = CommandId.BIND_TRANSCEIVER, password: str = PASSWORD, id: str = "g1") -> int:
        return self.ask(command_id, Bind(id, password)).command_status

    def submit(self, to: str = PHONE) -> int:
        (message,) = short_messages(SHORT_CODE, to, "hi", 1)
        return self.ask(CommandId.SUBMIT_SM, message.sm).command_status


# --- binding


@pytest.mark.parametrize(
    ("password", "id", "status"),
    [
        (PASSWORD, "g1", CommandStatus.ESME_ROK),
        ("wrong", "g1", CommandStatus.ESME_RINVPASWD),
        ("", "g1", CommandStatus.ESME_RINVPASWD),
        (PASSWORD, "g2", CommandStatus.ESME_RINVSYSID),
    ],
)
def test_who_may_bind(world: World, password: str, id: str, status: CommandStatus) -> None:
    world.start_smsc()
    client = Client(world)
    assert client.bind(password=password, id=id) == status
    world.go()
    assert client.lost == (status != CommandStatus.ESME_ROK)


def test_what_each_bind_allows(world: World) -> None:
    world.start_smsc()
    client = Client(world)
    assert client.submit() == CommandStatus.ESME_RINVBNDSTS
    receiver, transmitter = Client(world), Client(world)
    assert receiver.bind(CommandId.BIND_RECEIVER) == transmitter.bind(CommandId.BIND_TRANSMITTER) == 0
    assert receiver.bind() == CommandStatus.ESME_RALYBND
    assert receiver.submit() == CommandStatus.ESME_RINVBNDSTS
    assert transmitter.submit() == 0
    world.phone_says("hello")
    assert [pdu.octets for pdu in receiver.requests] == [b"hello"]
    assert transmitter.requests == []
    assert receiver.ask(CommandId.DELIVER_SM, Sm()).command_status == CommandStatus.ESME_RINVCMDID


def test_who_does_not_bind_is_disconnected(world: World) -> None:
    world.start_smsc()
    silent, bound = Client(world), Client(world)
    bound.bind()
    world.go(BIND_TIMEOUT_S + 1)
    assert silent.lost
    assert not bound.lost


# --- where messages go


def test_phones_write_to_phones(world: World) -> None:
    smsc = world.start_smsc()
    world.phone_says("It was the nightingale", OTHER_PHONE)
    (text,) = world.run(smsc.administration.phone_inbox(OTHER_PHONE))
    assert text == {"at_utc_s": START_UTC_S, "from": PHONE, "text": "It was the nightingale", "trace_id": ""}


def test_the_longest_range_counts(world: World) -> None:
    other = EsmeAccount("g2", PASSWORD, ("44441",), "g2")
    world.start_smsc(settings=msgspec.structs.replace(SETTINGS, esmes=(*SETTINGS.esmes, other)))
    first, second = Client(world), Client(world)
    first.bind()
    second.bind(id="g2")
    world.phone_says("to g1", "4444")
    world.phone_says("to g2", "444410")
    assert [pdu.octets for pdu in first.requests] == [b"to g1"]
    assert [pdu.octets for pdu in second.requests] == [b"to g2"]


@pytest.mark.parametrize("to", ["romeo", "romeo@montague.lit"])
def test_phones_write_to_xmpp_addresses_through_the_gateway(world: World, to: str) -> None:
    world.start_smsc()
    delivered = Delivered()
    world.esme(delivered)
    world.phone_says("Here.", to)
    assert delivered.texts == ["@romeo Here." if to == "romeo" else "romeo@montague.lit: Here."]


def test_what_the_operator_cannot_do(world: World) -> None:
    administration = world.start_smsc().administration
    for request, remedy in (
        (administration.phone_inbox(NOBODY), f"phones: \\{PHONE}, \\{OTHER_PHONE}"),
        (administration.phone_send(PHONE, "999", "hi"), "unknown recipient 999; write to"),
        (administration.phone_send(PHONE, SHORT_CODE, "ж" * 67 * 256), "send less at a time"),
    ):
        with pytest.raises(ValueError, match=remedy):
            world.run(request)
    world.run(administration.phone_switch(PHONE, False))
    assert world.run(administration.status())["off"] == ["fc1"]
    with pytest.raises(ValueError, match="switch it on first"):
        world.run(administration.phone_send(PHONE, SHORT_CODE, "hi"))


def test_the_operator_sees(world: World) -> None:
    administration = world.start_smsc().administration
    world.phone_says("1", OTHER_PHONE)
    world.phone_says("2")
    assert world.run(administration.status()) == {"ready": True, "esmes": [], "waiting": 1, "phones": 2, "off": []}
    assert world.run(administration.phone_ls()) == [
        {"number": PHONE, "name": "fc1", "on": True, "texts": 0},
        {"number": OTHER_PHONE, "name": "fc2", "on": True, "texts": 1},
    ]
    assert world.run(administration.phone_inbox(OTHER_PHONE, after=1)) == []


# --- receipts (SMPP 3.4 section 5.2.17)


@pytest.mark.parametrize(
    ("to", "registered_delivery", "states"),
    [
        (PHONE, 0, []),
        (PHONE, 1, ["DELIVERED"]),
        (PHONE, 2, []),
        (NOBODY, 0, []),
        (NOBODY, 1, ["UNDELIVERABLE"]),
        (NOBODY, 2, ["UNDELIVERABLE"]),
    ],
)
def test_receipts(world: World, to: str, registered_delivery: int, states: list[str]) -> None:
    world.start_smsc()
    delivered = Delivered()
    answers = Answers(world.esme(delivered))
    answers.submit("hi", to, registered_delivery)
    world.go()
    receipts = [receipt_of(pdu) for pdu in delivered.pdus]
    assert [receipt and (receipt.message_id, receipt.state.name) for receipt in receipts] == [
        (answers.all[0], state) for state in states
    ]


@pytest.mark.parametrize(("validity", "waits_s"), [("", 86_400), ("000000001000000R", 600), ("231114222320000+", 600)])
def test_a_phone_that_is_off(world: World, validity: str, waits_s: float) -> None:
    smsc = world.start_smsc()
    delivered = Delivered()
    esme = world.esme(delivered)
    world.run(smsc.administration.phone_switch(PHONE, False))
    (message,) = short_messages(SHORT_CODE, PHONE, "hi", 1, 1)
    esme.submit(msgspec.structs.replace(message.sm, validity_period=validity), {}, 60.0)
    world.go(waits_s - 100)
    assert delivered.pdus == []
    world.go(200)
    assert [receipt_of(pdu).state.name for pdu in delivered.pdus] == ["EXPIRED"]
    delivered.pdus.clear()
    esme.submit(short_messages(SHORT_CODE, PHONE, "again", 2, 1)[0].sm, {}, 60.0)
    world.go()
    world.run(smsc.administration.phone_switch(PHONE, True))
    world.go()
    assert world.inbox() == ["again"]
    assert [receipt_of(pdu).state.name for pdu in delivered.pdus] == ["DELIVERED"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"source_addr": ""}, CommandStatus.ESME_RINVSRCADR),
        ({"destination_addr": ""}, CommandStatus.ESME_RINVDSTADR),
        ({"validity_period": "soon"}, CommandStatus.ESME_RINVEXPIRY),
        ({"schedule_delivery_time": "000000001000000R"}, CommandStatus.ESME_RINVSCHED),
    ],
)
def test_what_is_not_taken(world: World, changes: dict[str, str], status: CommandStatus) -> None:
    world.start_smsc()
    client = Client(world)
    client.bind()
    sm = msgspec.structs.replace(short_messages(SHORT_CODE, PHONE, "hi", 1)[0].sm, **changes)
    assert client.ask(CommandId.SUBMIT_SM, sm).command_status == status
    assert world.inbox() == []


def test_only_so_many_may_be_unanswered(world: World) -> None:
    smsc = world.start_smsc()
    world.run(smsc.administration.fault_set(delay_s=5.0))
    client = Client(world)
    client.bind()
    statuses: list[int] = []
    (message,) = short_messages(SHORT_CODE, PHONE, "hi", 1)
    for _ in range(MAX_UNANSWERED + 1):
        client.session.request(CommandId.SUBMIT_SM, message.sm).addCallback(
            lambda pdu: statuses.append(pdu.command_status)
        )
    world.go()
    assert statuses == [CommandStatus.ESME_RMSGQFUL]
    world.go(6.0)
    assert statuses.count(0) == MAX_UNANSWERED


def test_a_rate_is_kept() -> None:
    clock = Clock()
    limits = Limits(clock.seconds)
    assert all(limits.admits() for _ in range(100))
    limits.limit(2.0)
    assert [limits.admits() for _ in range(3)] == [True, True, False]
    clock.advance(0.5)
    assert [limits.admits() for _ in range(2)] == [True, False]
    limits.limit(0.1)
    assert [limits.admits() for _ in range(2)] == [True, False]
    clock.advance(10)
    assert [limits.admits() for _ in range(2)] == [True, False]
    limits.limit(0.0)
    assert all(limits.admits() for _ in range(100))


@pytest.mark.parametrize("validity", ["000000240000000R", "231114000000000+", "tomorrow", "231114120130049+"])
def test_a_validity_period_is_checked(world: World, validity: str) -> None:
    """SMPP 3.4 section 7.1.1; also one that is over already (the world began on 2023-11-14 at 22:13)."""
    world.start_smsc()
    client = Client(world)
    client.bind()
    (message,) = short_messages(SHORT_CODE, PHONE, "hi", 1)
    sm = msgspec.structs.replace(message.sm, validity_period=validity)
    assert client.ask(CommandId.SUBMIT_SM, sm).command_status == CommandStatus.ESME_RINVEXPIRY


def test_what_waits_for_phones_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centre, "MAX_WAITING_BYTES", 1_000)
    smsc = world.start_smsc()
    world.run(smsc.administration.phone_switch(PHONE, False))
    client = Client(world)
    client.bind()
    statuses = [
        client.ask(CommandId.SUBMIT_SM, short_messages(SHORT_CODE, PHONE, "hi", n)[0].sm).command_status
        for n in range(40)
    ]
    assert statuses[0] == 0
    assert statuses[-1] == CommandStatus.ESME_RMSGQFUL
    world.run(smsc.administration.phone_switch(PHONE, True))
    world.go()
    assert client.submit() == 0


def test_what_a_phone_keeps_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wrote to it hears of it, and other phones get what is theirs."""
    monkeypatch.setattr(phone, "MAX_INBOX_BYTES", 3 * phone.KEPT_BYTES)
    smsc = world.start_smsc()
    delivered = Delivered()
    answers = Answers(world.esme(delivered))
    for number in range(4):
        answers.submit(str(number), PHONE, 2)
    answers.submit("4", OTHER_PHONE, 2)
    world.go()
    inboxes = [world.run(smsc.administration.phone_inbox(number)) for number in (PHONE, OTHER_PHONE)]
    assert [[each["text"] for each in inbox] for inbox in inboxes] == [["0", "1", "2"], ["4"]]
    [receipt] = [receipt_of(pdu) for pdu in delivered.pdus]
    assert receipt is not None
    assert (receipt.message_id, receipt.state.name, receipt.error) == (answers.all[3], "UNDELIVERABLE", "211")


def test_connections_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esmes, "MAX_SESSIONS", 2)
    smsc = world.start_smsc()
    clients = [Client(world) for _ in range(2)]
    assert smsc._esmes.buildProtocol(None) is None
    world.go(BIND_TIMEOUT_S)
    world.go()
    assert [client.lost for client in clients] == [True, True]
    assert Client(world).bind() == 0
