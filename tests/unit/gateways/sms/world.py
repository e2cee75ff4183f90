"""A message centre, phones, and ESMEs or a gateway in front of it, on one clock and without a socket."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cluster.base.settled import Settled
from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.gateways.sms.esme import Esme, Login
from cluster.gateways.sms.gateway import SmsGateway, SmsSettings
from cluster.gateways.sms.store import SmsStore, memory_sms_store
from cluster.networks.smsc.configuration import EsmeAccount, SmscSettings, Subscriber
from cluster.networks.smsc.smsc import Smsc
from cluster.protocols.smpp.compose import short_messages
from cluster.protocols.smpp.constants import Tag
from cluster.protocols.smpp.pdu import Pdu
from cluster.protocols.smpp.text import decode
from cluster.trace.hop import Hop, Tracer
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make
from tests.unit.gateways.sms.wire import Wire

T = TypeVar("T")
PHONE, OTHER_PHONE, NOBODY = "+393331234567", "+393339999999", "+390000000000"
SHORT_CODE, RANGE = "4444", "+39800"
PASSWORD = "pa55word"
START_UTC_S = 1_700_000_000.0
SETTINGS = SmscSettings(
    "fn1",
    (Subscriber(PHONE, "fc1"), Subscriber(OTHER_PHONE, "fc2")),
    (EsmeAccount("g1", PASSWORD, (SHORT_CODE, RANGE), "g1"),),
)
GATEWAY = SmsSettings("sms.montague.lit", "montague.lit", SHORT_CODE)
ROMEO, JULIET = Jid.parse("romeo@montague.lit/pda"), Jid.parse("juliet@capulet.lit/balcony")
FC1 = Jid.parse(f"{PHONE}@sms.montague.lit")


class World:
    """The pieces, and time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.wall_clock_set_by_s = 0.0
        self.wire = Wire(self.clock)
        self.hops: list[Hop] = []
        self._ids = itertools.count(1)
        self.smsc: Smsc

    # --- time

    def now_utc_s(self) -> float:
        return START_UTC_S + self.clock.seconds() + self.wall_clock_set_by_s

    def go(self, seconds: float = 0.0) -> None:
        """Let time pass, and everything that is due happen on the way."""
        for _ in range(200):
            self.clock.advance(0)
        step = 0.05 if seconds <= 60 else seconds / 1000
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(step)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Its result; it must not wait for time to pass."""
        results: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        self.go()
        assert results, "it waits for something"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    # --- pieces

    def append(self, hop: Hop) -> None:
        """As a `Journal`."""
        self.hops.append(hop)

    def new_id(self) -> str:
        return f"id{next(self._ids)}"

    def start_smsc(self, folder: Path | None = None, settings: SmscSettings = SETTINGS) -> Smsc:
        self.smsc = Smsc(
            self.clock, settings, folder, self.tracer(),
            now_utc_s=self.now_utc_s, new_id=self.new_id, jitter=lambda: 0.5,
        )  # fmt: skip
        self.run(self.smsc.start(self.wire))
        return self.smsc

    def esme(self, on_deliver: Callable[[Pdu], Any], password: str = PASSWORD) -> Esme:
        esme = Esme(self.clock, self.wire, Login("g1", password), on_deliver, lambda: 0.5)
        esme.start()
        self.go()
        return esme

    def tracer(self) -> Tracer:
        return Tracer("g1", self, lambda: int(self.now_utc_s() * 1e9), self.new_id, 0, self.clock)

    # --- phones

    def inbox(self, number: str = PHONE) -> list[str]:
        return [text["text"] for text in self.run(self.smsc.administration.phone_inbox(number))]

    def phone_says(self, text: str, to: str = SHORT_CODE, number: str = PHONE, trace_id: str = "") -> None:
        self.run(self.smsc.administration.phone_send(number, to, text, trace_id))
        self.go()


class Delivered:
    """Takes what an ESME gets."""

    def __init__(self) -> None:
        self.pdus: list[Pdu] = []
        self.failing = False

    async def __call__(self, pdu: Pdu) -> None:
        if self.failing:
            raise RuntimeError("the test wants it so")
        self.pdus.append(pdu)

    @property
    def texts(self) -> list[str]:
        return [decode(pdu.body.data_coding, pdu.octets) for pdu in self.pdus]


class Answers:
    """What became of submissions."""

    def __init__(self, esme: Esme) -> None:
        self._esme = esme
        self._references = itertools.count(100)
        self.all: list[Any] = []

    def submit(self, text: str, to: str = PHONE, registered_delivery: int = 0, timeout_s: float = 300.0) -> None:
        made = short_messages(SHORT_CODE, to, text, next(self._references), registered_delivery)
        for message in made:
            self._esme.submit(message.sm, message.tlvs, timeout_s).addBoth(self.all.append)

    @property
    def errors(self) -> list[Exception]:
        return [answer.value for answer in self.all if not isinstance(answer, str)]


class GatewayWorld(World):
    """With an SMS gateway whose stanzas are noted."""

    def __init__(self) -> None:
        super().__init__()
        self.store: SmsStore = memory_sms_store()
        self.sent: list[Stanza] = []
        self.refuse_with: Exception | None = None
        self.settles: Deferred[None] | None = None
        """When the server has what it is sent."""
        self.gateway: SmsGateway

    def start_gateway(self, password: str = PASSWORD) -> SmsGateway:
        self.gateway = SmsGateway(
            self.clock, GATEWAY, self.wire, Login("g1", password), self.store, self._send, self.tracer(),
            now_utc_s=self.now_utc_s, new_id=self.new_id, jitter=lambda: 0.5,
        )  # fmt: skip
        self.run(self.gateway.start())
        self.go()
        return self.gateway

    def _send(self, stanza: Stanza) -> Settled:
        if self.refuse_with is not None:
            raise self.refuse_with
        self.sent.append(stanza)
        return self.settles

    def take_sent(self) -> list[Stanza]:
        """What the gateway has sent since the last call."""
        sent, self.sent = self.sent, []
        return sent


def mark(pdu: Pdu) -> bytes:
    """The reference by which a repeated message is known."""
    return pdu.tlvs[Tag.USER_MESSAGE_REFERENCE]


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


def started(world: GatewayWorld) -> GatewayWorld:
    """With a message centre and a gateway at it."""
    world.start_smsc()
    world.start_gateway()
    return world
