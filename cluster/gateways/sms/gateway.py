"""The SMS gateway: its wiring, and the part that the shared runtime calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.clock import Clock, as_interface
from cluster.base.settled import Settled
from cluster.base.storage import log_failed
from cluster.components.gateway import Gateway, Service
from cluster.gateways.delivery_receipts import RECEIPTS
from cluster.gateways.sms.correspondents import Correspondents
from cluster.gateways.sms.esme import Esme, Login
from cluster.gateways.sms.inbound import Inbound
from cluster.gateways.sms.numbers import RegisteredNumbers, phone_number
from cluster.gateways.sms.outbound import Outbound
from cluster.gateways.sms.receipts import Receipts
from cluster.gateways.sms.store import SmsStore
from cluster.protocols.smpp.concatenation import PATIENCE_S
from cluster.trace.hop import Tracer
from cluster.xmpp.stanza import Stanza

SEND_TIMEOUT_S = 15.0
"""How long a stanza may wait for the XMPP server; then the message centre keeps the message and sends it again."""


class SmsSettings(msgspec.Struct, frozen=True):
    """One SMS gateway."""

    domain: str
    """`sms.montague.lit`"""
    home_domain: str
    """Domain of the server that it is a component of; texts of phones that name a localpart only mean this domain."""
    number: str
    """Short code or number that phones see as the sender, and write to."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\+?[0-9]{1,20}", self.number, re.ASCII):
            raise ValueError(f"{self.number!r} is not a number that phones can write to; use one like 4444 or +39800")


class SmsGateway(Gateway):
    """Phone numbers as XMPP addresses: `+393331234567@sms.montague.lit`."""

    _log = Logger()
    service = Service(
        type="sms",
        name="SMS",
        prompt="Phone number",
        description="Enter a phone number with its country code, like +393331234567.",
        contact_identity=("client", "sms"),
        contact_features=(RECEIPTS,),
    )

    def __init__(
        self,
        reactor: Clock,
        settings: SmsSettings,
        endpoint: Any,
        login: Login,
        store: SmsStore,
        send: Callable[[Stanza], Settled],
        tracer: Tracer,
        *,
        now_utc_s: Callable[[], float],
        new_id: Callable[[], str],
        jitter: Callable[[], float],
    ) -> None:
        """`endpoint`: that of the message centre; `login`: the account there. `send`: `ComponentConnection.send`."""
        self._reactor = reactor
        self._send_stanza = send
        self._numbers = RegisteredNumbers(store.numbers)
        self.registrar = self._numbers
        self._correspondents = Correspondents(store.correspondents)
        self._receipts = Receipts(store.awaited, self._send, tracer, new_id)
        self._inbound = Inbound(
            settings.domain, settings.home_domain, store.pieces, self._numbers, self._correspondents, self._receipts,
            send=self._send, say=lambda *text: self._outbound.say(*text), new_id=new_id, seconds=reactor.seconds,
        )  # fmt: skip
        self._esme = Esme(reactor, endpoint, login, self._inbound.on_deliver, jitter)
        self._outbound = Outbound(
            reactor, self._esme, store.submissions, store.done, self._numbers, self._correspondents, self._receipts,
            send, tracer,
            own_number=settings.number, now_utc_s=now_utc_s, first_reference=int(jitter() * 65536),
        )  # fmt: skip
        self._expiry = LoopingCall(self._expire)
        self._expiry.clock = as_interface(reactor)

    @property
    def bound(self) -> bool:
        """Whether the message centre accepts messages."""
        return self._esme.bound

    async def start(self) -> None:
        """Load what earlier processes left, and bind; before the runtime handles stanzas."""
        for part in (self._numbers, self._correspondents, self._receipts, self._inbound):
            await part.load()
        await self._outbound.resume()
        self._esme.start()
        self._expiry.start(PATIENCE_S / 5, now=False)

    async def stop(self) -> None:
        """Unbind; unanswered messages stay in the store."""
        if self._expiry.running:
            self._expiry.stop()
        await self._esme.stop()

    # --- as a Gateway

    def normal(self, address: str) -> str:
        """The normal form of a phone number. Raises StanzaError (item-not-found)."""
        return phone_number(address)

    async def on_message(self, message: Stanza) -> None:
        """Handle a message for a phone, or an error for a message of a phone."""
        if message.type == "error":
            self._inbound.bounced(message)
        else:
            await self._outbound.take(message)

    # --- for its parts

    async def _send(self, stanza: Stanza) -> None:
        """Returns when the server has the stanza. Raises Overloaded or TimeoutError; the server then does not get
        it."""
        settled = self._send_stanza(stanza)
        if settled is not None:
            await settled.addTimeout(SEND_TIMEOUT_S, as_interface(self._reactor), _late)

    async def _expire(self) -> None:
        try:
            await self._inbound.expire()
        except Exception:  # the loop must continue
            log_failed(self._log, "Passing on what came of a long message", Failure())


def _late(result: object, timeout_s: float) -> None:
    raise TimeoutError(f"the server did not take a stanza in {timeout_s:g} s")
