"""Delivery receipts of SMPP as receipts (XEP-0184) and errors of XMPP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from twisted.logger import Logger

from cluster.base import reasons
from cluster.gateways.delivery_receipts import RECEIPTS, receipt_for, wants_receipt
from cluster.gateways.sms.store import Awaited, Submission, Table
from cluster.protocols.smpp.constants import MessageState
from cluster.protocols.smpp.message_ids import MessageIds
from cluster.protocols.smpp.receipt import Receipt
from cluster.trace.hop import Event, Tracer
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza, make

MAX_AWAITED = 10_000
"""Messages whose receipts are awaited; failures of the oldest beyond that are not reported."""
MAX_EARLY = 1_000
"""Receipts for unknown messages, which may become known."""

_FAILURES = {
    MessageState.EXPIRED: (Condition.RECIPIENT_UNAVAILABLE, "the phone was not reached in time"),
    MessageState.DELETED: (Condition.RECIPIENT_UNAVAILABLE, "the message centre deleted the message"),
    MessageState.REJECTED: (Condition.NOT_ALLOWED, "the message centre rejected the message"),
    MessageState.UNKNOWN: (Condition.RECIPIENT_UNAVAILABLE, "the message centre does not know what became of it"),
    MessageState.UNDELIVERABLE: (Condition.ITEM_NOT_FOUND, "unknown number"),
}


MAX_KEPT_BYTES = 2_048
"""Of a message whose receipt is awaited, so that MAX_AWAITED take 20 MiB: the error for a larger one comes without
it."""


class Receipts:
    """The receipts for messages that the message centre has accepted."""

    _log = Logger()

    def __init__(
        self,
        table: Table[Awaited],
        send: Callable[[Stanza], Awaitable[None]],
        tracer: Tracer,
        new_id: Callable[[], str],
    ) -> None:
        """`send` returns when the stanza is on its way."""
        self._tracer = tracer
        self._table = table
        self._send = send
        self._new_id = new_id
        self._awaited: dict[str, Awaited] = {}
        self._names: MessageIds[str] = MessageIds()
        self._early: MessageIds[Receipt] = MessageIds()
        """After a lost connection a receipt may arrive before the message_id that it names."""

    async def load(self) -> None:
        """Load what earlier processes awaited."""
        for name, awaited in (await self._table.load()).items():
            self._keep(name, awaited)

    def expect(self, name: str, submission: Submission, total: int, message_id: str) -> None:
        """One of the `total` short messages of a submission was accepted under this message_id."""
        awaited = self._awaited.get(name) or Awaited(_kept(submission.stanza), (), total)
        if message_id not in awaited.message_ids:
            awaited = msgspec.structs.replace(awaited, message_ids=(*awaited.message_ids, message_id))
        self._keep(name, awaited)

    async def expect_all(self, name: str) -> None:
        """All short messages of the submission were accepted: store what is awaited, and tell the sender what is
        known."""
        if (awaited := self._awaited.get(name)) is not None:  # otherwise the receipts were faster
            await self._table.put(name, awaited)
            for message_id in awaited.message_ids:
                early = self._early.match(message_id)
                if early is not None and (receipt := self._early.pop(early)) is not None:
                    await self.on_receipt(receipt)
        while len(self._awaited) > MAX_AWAITED:
            await self.forget(next(iter(self._awaited)))

    async def forget(self, name: str) -> None:
        """Await nothing more for this submission."""
        awaited = self._awaited.pop(name, None)
        if awaited is not None:
            for message_id in awaited.message_ids:
                self._names.pop(message_id)
            await self._table.delete(name)

    async def on_receipt(self, receipt: Receipt) -> None:
        """Tell the sender, once all parts are delivered or one has failed."""
        if not receipt.state.is_final:
            return
        message_id = self._names.match(receipt.message_id)
        name = self._names.get(message_id) if message_id is not None else None
        if message_id is None or name is None:
            self._log.info(
                "a receipt names no message that waits for one: {id}, {state}",
                id=receipt.message_id, state=receipt.state.name,
            )  # fmt: skip
            self._early.put(receipt.message_id, receipt)
            if len(self._early) > MAX_EARLY:
                self._early.pop_oldest()
            return
        awaited = self._awaited[name]
        if receipt.state is not MessageState.DELIVERED:
            error = _error(receipt)
            self._tracer.record(Event.BOUNCED, awaited.stanza, str(error), reason=reasons.NETWORK_REFUSES)
            await self._send(msgspec.structs.replace(awaited.stanza.error(error), trace_id=awaited.stanza.trace_id))
            await self.forget(name)
            return
        if message_id not in awaited.delivered:
            awaited = msgspec.structs.replace(awaited, delivered=(*awaited.delivered, message_id))
        if len(awaited.delivered) < awaited.total:
            self._awaited[name] = awaited
            await self._table.put(name, awaited)
            return
        if wants_receipt(awaited.stanza):
            await self._send(self._received(awaited.stanza))
        await self.forget(name)

    def _keep(self, name: str, awaited: Awaited) -> None:
        self._awaited[name] = awaited
        for message_id in awaited.message_ids:
            self._names.put(message_id, name)

    def _received(self, message: Stanza) -> Stanza:
        assert message.to is not None
        assert message.from_ is not None
        made = receipt_for(message.id or "", message.from_, message.to.bare, message.type, self._new_id())
        return msgspec.structs.replace(made, trace_id=message.trace_id)


def _kept(message: Stanza) -> Stanza:
    """The message, or the part of it that an answer needs (RFC 6120 section 8.3.1)."""
    if len(message.raw) <= MAX_KEPT_BYTES:
        return message
    payload = [Element(f"{{{RECEIPTS}}}request")] if wants_receipt(message) else []
    made = make("message", to=message.to, from_=message.from_, id=message.id, type=message.type, payload=payload)
    return msgspec.structs.replace(made, trace_id=message.trace_id)


def _error(receipt: Receipt) -> StanzaError:
    condition, text = _FAILURES.get(receipt.state, _FAILURES[MessageState.UNKNOWN])
    return StanzaError(condition, f"{text} ({receipt.state.name}, error {receipt.error})")
