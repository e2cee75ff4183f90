"""Store and forward: the way of a short message, and the receipt for its sender."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base import reasons
from cluster.base.clock import Clock
from cluster.networks.smsc.configuration import EsmeAccount, SmscSettings
from cluster.networks.smsc.hops import Hops
from cluster.networks.smsc.phone import Phone, Received
from cluster.networks.smsc.senders import Senders
from cluster.networks.smsc.spool import Message, Spool
from cluster.protocols.smpp.compose import destination_of, part_in, source_of, trace_id_in
from cluster.protocols.smpp.constants import (
    ESM_CLASS_RECEIPT,
    RECEIPT_ALWAYS,
    RECEIPT_BITS,
    RECEIPT_OF_FAILURE,
    CommandId,
    CommandStatus,
    MessageState,
    Tag,
)
from cluster.protocols.smpp.pdu import Pdu, Sm, encode
from cluster.protocols.smpp.receipt import Receipt, is_receipt, is_text, receipt_text
from cluster.protocols.smpp.times import seconds_from
from cluster.protocols.smpp.window import NotAnswered, Window
from cluster.trace.hop import Event

UNKNOWN_SUBSCRIBER = "001"
"""The error in a receipt for a number that nobody has (3GPP TS 29.002: unknownSubscriber)."""
MEMORY_CAPACITY_EXCEEDED = "211"
"""The error in a receipt for a phone that is full (3GPP TS 23.040 section 9.2.3.22: D3). A submit_sm is not refused
with ESME_RMSGQFUL for that: an ESME would then delay the messages to all other phones too."""
MAX_WAITING_BYTES = 32 << 20
"""What may wait for phones that are off and ESMEs that are away; then senders are asked to try later."""
MAX_VALIDITY_S = 30 * 86_400.0
"""A message waits no longer, whatever its sender wants (section 5.2.16: the message centre has the last word)."""
MAX_REMEMBERED = 10_000
"""Messages whose repetition is noticed, for all ESMEs together."""


class Rejected(Exception):
    """The message is refused."""

    def __init__(self, command_status: CommandStatus) -> None:
        super().__init__(command_status.name)
        self.command_status = command_status


class MessageCentre:
    """Accepts messages of ESMEs and phones, delivers them to phones and ESMEs, and writes the receipts."""

    _log = Logger()

    def __init__(
        self,
        reactor: Clock,
        settings: SmscSettings,
        phones: dict[str, Phone],
        windows: dict[str, Window],
        spool: Spool,
        senders: Senders,
        hops: Hops,
        *,
        now_utc_s: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        """`phones` by number; `windows` by system_id: the connections to the ESMEs."""
        self._reactor = reactor
        self._settings = settings
        self._phones = phones
        self._windows = windows
        self._spool = spool
        self._senders = senders
        self._hops = hops
        self._now_utc_s = now_utc_s
        self._new_id = new_id
        self._timers: dict[str, Any] = {}
        self._remembered: OrderedDict[tuple[str, bytes], str] = OrderedDict()
        for message in spool.earlier:
            self._remember(message)

    @property
    def waiting(self) -> int:
        """Messages that are not delivered yet."""
        return len(self._spool.messages)

    def start(self) -> None:
        """Continue with what an earlier process accepted."""
        for message in [*self._spool.messages.values()]:
            self._forward(message)

    def stop(self) -> None:
        """Stop the timers of messages."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def submit(self, pdu: Pdu, sender: str = "") -> str:
        """Accept a submit_sm of the ESME `sender`, or of a phone; returns its message_id. Raises Rejected.

        A repetition (same user_message_reference, addresses and text) is recognised and not accepted twice.
        """
        message = self._message(pdu, sender)
        known = self._remembered.get((sender, _mark(pdu)))
        if known is not None:
            self._log.info("{sender} repeats {id}; it is not sent twice", sender=sender, id=known)
            return known
        if self._spool.size_bytes > MAX_WAITING_BYTES:
            raise Rejected(CommandStatus.ESME_RMSGQFUL)
        self._remember(message)
        self._spool.accept(message)
        if sender:
            self._learn(source_of(_sm(pdu)), sender)
        self._hops.record(Event.RECEIVED, pdu, self._settings.name, "from " + (sender or source_of(_sm(pdu))))
        # after its sender has the answer: a receipt must not come before the message_id that it names
        self._reactor.callLater(0, self._forward, message)
        return message.message_id

    def esme_for(self, number: str) -> EsmeAccount | None:
        """The ESME whose range has the number; the longest range counts. Otherwise the one that wrote from it last."""
        wrote = self._senders.last(number)
        return self._by_range(number) or next((each for each in self._settings.esmes if each.system_id == wrote), None)

    def _by_range(self, number: str) -> EsmeAccount | None:
        ranges = (
            (len(start), esme) for esme in self._settings.esmes for start in esme.numbers if number.startswith(start)
        )
        return max(ranges, key=lambda found: found[0], default=(0, None))[1]

    def _learn(self, number: str, system_id: str) -> None:
        """Remember the ESME of a number in nobody's range, which a user registered with a gateway: answers go there."""
        if number not in self._phones and self._by_range(number) is None:
            self._senders.note(number, system_id)

    def switched_on(self, phone: Phone) -> None:
        """The phone is on again: deliver the messages that wait for it."""
        for message in [*self._spool.messages.values()]:
            if message.message_id in self._timers and self._phone_of(message) is phone:
                self._deliver(phone, message)

    def _message(self, pdu: Pdu, sender: str) -> Message:
        sm = _sm(pdu)
        if not sm.source_addr:
            raise Rejected(CommandStatus.ESME_RINVSRCADR)
        if not sm.destination_addr:
            raise Rejected(CommandStatus.ESME_RINVDSTADR)
        if sm.schedule_delivery_time:
            raise Rejected(CommandStatus.ESME_RINVSCHED)
        now_s = self._now_utc_s()
        validity_s = self._settings.validity_s
        if sm.validity_period:
            try:
                validity_s = seconds_from(datetime.fromtimestamp(now_s, UTC), sm.validity_period)
            except ValueError:
                raise Rejected(CommandStatus.ESME_RINVEXPIRY) from None
            if validity_s <= 0:  # it has ended already
                raise Rejected(CommandStatus.ESME_RINVEXPIRY)
        return Message(self._new_id(), sender, encode(pdu), now_s, now_s + min(validity_s, MAX_VALIDITY_S))

    def _remember(self, message: Message) -> None:
        mark = _mark(message.pdu)
        if message.sender and mark:
            self._remembered[message.sender, mark] = message.message_id
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)

    def _phone_of(self, message: Message) -> Phone | None:
        number = destination_of(_sm(message.pdu))
        return self._phones.get(number) or self._phones.get(f"+{number}")

    def _forward(self, message: Message) -> None:
        phone = self._phone_of(message)
        esme = None if phone else self.esme_for(destination_of(_sm(message.pdu)))
        left_s = message.deadline_utc_s - self._now_utc_s()
        if phone is not None and phone.on and left_s > 0:
            self._deliver(phone, message)
        elif phone is not None:
            self._timers[message.message_id] = self._reactor.callLater(max(left_s, 0), self._expire, message)
            self._hops.record(Event.STORED, message.pdu, self._settings.name, f"{phone.name} is off", reasons.PHONE_OFF)
        elif esme is not None:
            self._hand_over(esme, message, left_s)
        else:
            self._hops.record(Event.DROPPED, message.pdu, self._settings.name, "unknown number", reasons.UNKNOWN_NUMBER)
            self._settle(message, MessageState.UNDELIVERABLE, UNKNOWN_SUBSCRIBER)

    def _deliver(self, phone: Phone, message: Message) -> None:
        timer = self._timers.pop(message.message_id, None)
        if timer is not None:
            timer.cancel()
        pdu = message.pdu
        sm = _sm(pdu)
        if phone.is_full:
            self._hops.record(
                Event.DROPPED, pdu, self._settings.name, f"the memory of {phone.name} is full", reasons.PHONE_FULL
            )
            self._settle(message, MessageState.UNDELIVERABLE, MEMORY_CAPACITY_EXCEEDED)
            return
        if is_text(sm):
            phone.receive(
                Received(
                    message.message_id, self._now_utc_s(), source_of(sm), sm.data_coding, part_in(pdu), trace_id_in(pdu)
                )
            )
            self._hops.record(Event.ROUTED, pdu, self._settings.name, f"to {phone.name}")
            self._hops.record(Event.DELIVERED, pdu, phone.name, "in the inbox")
        self._settle(message, MessageState.DELIVERED)

    def _expire(self, message: Message) -> None:
        del self._timers[message.message_id]
        self._hops.record(Event.DROPPED, message.pdu, self._settings.name, "expired", reasons.EXPIRED)
        self._settle(message, MessageState.EXPIRED)

    def _hand_over(self, esme: EsmeAccount, message: Message, left_s: float) -> None:
        pdu = message.pdu
        self._hops.record(Event.ENQUEUED, pdu, self._settings.name, f"to {esme.name}")
        # section 4.6.1: these three say nothing in a deliver_sm
        sm = msgspec.structs.replace(_sm(pdu), validity_period="", registered_delivery=0, replace_if_present_flag=0)
        sent = self._windows[esme.system_id].send(sm, pdu.tlvs, left_s)
        sent.addCallbacks(self._handed_over, self._not_handed_over, callbackArgs=(message,), errbackArgs=(message,))

    def _handed_over(self, message_id: str, message: Message) -> None:
        self._hops.record(Event.DELIVERED, message.pdu, self._settings.name, "taken by its ESME")
        self._settle(message, MessageState.DELIVERED)

    def _not_handed_over(self, failure: Failure, message: Message) -> None:
        if isinstance(failure.value, CancelledError):
            return  # the process ends; the spool keeps the message
        self._log.warn("{id} was not taken: {reason}", id=message.message_id, reason=str(failure.value))
        self._hops.record(Event.DROPPED, message.pdu, self._settings.name, str(failure.value), reasons.NETWORK_REFUSES)
        expired = isinstance(failure.value, NotAnswered)
        self._settle(message, MessageState.EXPIRED if expired else MessageState.UNDELIVERABLE)

    def _settle(self, message: Message, state: MessageState, error: str = "000") -> None:
        """Write the receipt that the sender requested (section 5.2.17), then forget the message."""
        sm = _sm(message.pdu)
        wanted = sm.registered_delivery & RECEIPT_BITS
        failed = state is not MessageState.DELIVERED
        if message.sender and not is_receipt(sm) and (
            wanted == RECEIPT_ALWAYS or (wanted == RECEIPT_OF_FAILURE and failed)
        ):  # fmt: skip
            receipt = self._receipt(message, Receipt(message.message_id, state, error))
            self._spool.accept(receipt)
            esme = next(esme for esme in self._settings.esmes if esme.system_id == message.sender)
            self._hand_over(esme, receipt, self._settings.validity_s)
        self._spool.done(message)

    def _receipt(self, message: Message, receipt: Receipt) -> Message:
        pdu, now_s = message.pdu, self._now_utc_s()
        sm = _sm(pdu)
        submitted, done = (datetime.fromtimestamp(s, UTC) for s in (message.submitted_utc_s, now_s))
        body = Sm(
            source_addr_ton=sm.dest_addr_ton,
            source_addr_npi=sm.dest_addr_npi,
            source_addr=sm.destination_addr,
            dest_addr_ton=sm.source_addr_ton,
            dest_addr_npi=sm.source_addr_npi,
            destination_addr=sm.source_addr,
            esm_class=ESM_CLASS_RECEIPT,
            short_message=receipt_text(receipt, submitted, done, part_in(pdu).octets),
        )
        tlvs = {
            int(Tag.RECEIPTED_MESSAGE_ID): message.message_id.encode() + b"\0",
            int(Tag.MESSAGE_STATE): bytes([receipt.state]),
        }
        if Tag.TRACE_ID in pdu.tlvs:
            tlvs[Tag.TRACE_ID] = pdu.tlvs[Tag.TRACE_ID]
        made = Pdu(CommandId.DELIVER_SM, 0, body, 0, tlvs)
        return Message(self._new_id(), "", encode(made), now_s, now_s + self._settings.validity_s)


def _sm(pdu: Pdu) -> Sm:
    assert isinstance(pdu.body, Sm)
    return pdu.body


def _mark(pdu: Pdu) -> bytes:
    """The key by which a repetition is recognised; empty if its sender does not number its messages."""
    reference = pdu.tlvs.get(Tag.USER_MESSAGE_REFERENCE, b"")
    sm = _sm(pdu)
    return reference and reference + f"{source_of(sm)} {destination_of(sm)} ".encode() + pdu.octets
