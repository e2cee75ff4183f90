"""From XMPP to phones: a message becomes submit_sm, and stays in the store until the message centre has it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base import reasons
from cluster.base.clock import Clock
from cluster.base.settled import Settled, until_settled
from cluster.base.storage import insist, log_failed
from cluster.components.connection import Overloaded
from cluster.gateways.delivery_receipts import wants_receipt
from cluster.gateways.repetition import key_of
from cluster.gateways.sms.correspondents import Correspondents
from cluster.gateways.sms.esme import Esme
from cluster.gateways.sms.numbers import RegisteredNumbers, phone_number
from cluster.gateways.sms.receipts import Receipts
from cluster.gateways.sms.store import Done, Submission, Table
from cluster.protocols.smpp.compose import ShortMessage, short_messages
from cluster.protocols.smpp.constants import RECEIPT_ALWAYS, RECEIPT_OF_FAILURE, CommandStatus
from cluster.protocols.smpp.text import TextTooLong
from cluster.protocols.smpp.window import NotAnswered, Refused
from cluster.trace.hop import Event, Tracer
from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.escaping import unescape
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza

MAX_WAITING = 1_000
"""Short messages that may wait for the message centre; then senders are told to try later."""
MAX_WAITING_BYTES = 16 << 20
"""Of the stanzas of those messages."""
SAY_TIMEOUT_S = 60.0
"""A text of the gateway itself is useless much later."""
MAX_WAIT_S = 300.0
"""How long a message may wait before its sender gets an error."""

_REFUSALS: dict[int, tuple[Condition, str]] = {
    CommandStatus.ESME_RINVDSTADR: (Condition.ITEM_NOT_FOUND, "the message centre knows no such number"),
    CommandStatus.ESME_RINVSRCADR: (
        Condition.NOT_ALLOWED,
        "the message centre does not take messages from your number",
    ),
    CommandStatus.ESME_RINVMSGLEN: (Condition.NOT_ACCEPTABLE, "the message centre finds the message too long"),
}


class Outbound:
    """Messages on their way to phones."""

    _log = Logger()

    def __init__(
        self,
        clock: Clock,
        esme: Esme,
        table: Table[Submission],
        done: Done,
        numbers: RegisteredNumbers,
        correspondents: Correspondents,
        receipts: Receipts,
        send: Callable[[Stanza], Settled],
        tracer: Tracer,
        *,
        own_number: str,
        now_utc_s: Callable[[], float],
        first_reference: int,
    ) -> None:
        """`own_number`: the sender for users without a registered number. `first_reference`: another one at each
        start."""
        self._clock = clock
        self._esme = esme
        self._table = table
        self._done = done
        self._under_way: set[str] = set()
        """Keys of submissions that are not finished."""
        self._numbers = numbers
        self._correspondents = correspondents
        self._receipts = receipts
        self._send = send
        self._tracer = tracer
        self._own_number = own_number
        self._now_utc_s = now_utc_s
        self._reference = first_reference
        self._waiting_bytes = 0

    async def resume(self) -> None:
        """Send what an earlier process did not send, or had no answer for."""
        for name, submission in (await self._table.load()).items():
            self._under_way.update(filter(None, [submission.key]))
            self._submit(name, submission, _short_messages(submission))

    async def take(self, message: Stanza) -> None:
        """Accept a message for a phone; returns when a crash can no longer lose it. Raises StanzaError."""
        assert message.from_ is not None
        if message.type == "groupchat":
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, "a phone is not a room; write a chat message")
        if not _words(message).strip():
            detail = "it has no text; phones know no chat states or receipts"
            self._tracer.record(Event.DROPPED, message, detail, reason=reasons.NO_TEXT)
            return
        sender = message.from_.bare
        source = self._numbers.number_of(sender) or self._own_number
        submission = Submission(message, source, self._reference, key_of(message))
        try:
            parts = _short_messages(submission)
        except TextTooLong as error:
            raise StanzaError(Condition.NOT_ACCEPTABLE, str(error)) from None
        is_full = self._waiting_bytes + len(message.raw) > MAX_WAITING_BYTES
        if is_full or self._esme.unanswered + len(parts) > MAX_WAITING:
            text = f"the message centre does not answer, and {self._esme.unanswered} messages wait for it; try later"
            raise StanzaError(Condition.RECIPIENT_UNAVAILABLE, text)
        self._use_references(len(parts))
        name = f"{self._now_utc_s():.6f} {submission.reference:05}"
        if not await self._keep(name, submission):
            self._log.info("{from_} repeats a message; it is not sent twice", from_=str(message.from_))
            return
        self._tracer.record(Event.ROUTED, message, "to the message centre")
        self._submit(name, submission, parts)  # each message awaited the same before this: their order is kept
        try:
            await self._correspondents.note(_phone(message), source, sender)
        except ConnectionLost as error:  # the message is on its way, so its sender gets no error
            self._log.warn("{from_} is not stored as who wrote last: {why}", from_=str(message.from_), why=str(error))

    async def _keep(self, name: str, submission: Submission) -> bool:
        """False for a message that was stored before."""
        key = submission.key
        if key in self._under_way:
            return False
        if key:
            self._under_way.add(key)
        try:
            if await self._done.knows(key):
                self._under_way.discard(key)
                return False
            await self._table.put(name, submission)
        except BaseException:
            self._under_way.discard(key)
            raise
        return True

    def say(self, number: str, phone: str, words: str) -> None:
        """Send a text of the gateway itself, from this number of the gateway; a failure is only logged."""
        parts = short_messages(number, phone, words, self._reference)
        self._use_references(len(parts))
        for part in parts:
            self._esme.submit(part.sm, part.tlvs, SAY_TIMEOUT_S).addErrback(self._not_said, phone)

    def _not_said(self, failure: Failure, phone: str) -> None:
        if not isinstance(failure.value, CancelledError):
            self._log.warn("{phone} could not be informed: {reason}", phone=phone, reason=str(failure.value))

    def _use_references(self, count: int) -> None:
        self._reference = (self._reference + count) % 65536

    def _submit(self, name: str, submission: Submission, parts: list[ShortMessage]) -> None:
        self._waiting_bytes += len(submission.stanza.raw)
        # at once, not when all are answered: the receipt for one may arrive before the answer for the next
        answers = [
            self._esme.submit(part.sm, part.tlvs, MAX_WAIT_S).addCallback(self._taken, name, submission, len(parts))
            for part in parts
        ]
        settling = Deferred.fromCoroutine(self._settle(name, submission, answers))
        settling.addErrback(partial(log_failed, self._log, "Settling a submission"))
        settling.addBoth(self._settled, submission)

    def _settled(self, _: object, submission: Submission) -> None:
        self._waiting_bytes -= len(submission.stanza.raw)

    def _taken(self, message_id: str, name: str, submission: Submission, total: int) -> None:
        self._receipts.expect(name, submission, total, message_id)

    async def _settle(self, name: str, submission: Submission, answers: list[Deferred[None]]) -> None:
        try:
            await gatherResults(answers, consumeErrors=True)
        except FirstError as first:
            reason: Any = first.subFailure.value
            if isinstance(reason, CancelledError):
                return  # the process ends; the table keeps the message for the next one
            for answer in answers:
                answer.cancel()
            error = _error(reason)
            self._tracer.record(Event.BOUNCED, submission.stanza, str(error), reason=reasons.NETWORK_REFUSES)
            if not await self._told(submission.stanza.error(error)):
                return  # the table keeps the message: the next process tries again
            await insist(self._clock, partial(self._receipts.forget, name))
        else:
            await insist(self._clock, partial(self._receipts.expect_all, name))
        if submission.key:
            await insist(self._clock, partial(self._done.note, submission.key))
        await insist(self._clock, partial(self._table.delete, name))  # otherwise the next process sends it again
        self._under_way.discard(submission.key)

    async def _told(self, error: Stanza) -> bool:
        """Whether the server has the error for a sender, which it may take when it is back."""
        try:
            await until_settled(self._send(error))
        except Overloaded as overloaded:
            self._log.warn("{to} is not told of an error yet: {reason}", to=str(error.to), reason=str(overloaded))
            return False
        except CancelledError:
            return False  # the process ends
        return True


def _error(reason: Exception) -> StanzaError:
    """The error for the sender."""
    if isinstance(reason, Refused):
        unknown = (Condition.UNDEFINED_CONDITION, "the message centre does not take the message")
        condition, text = _REFUSALS.get(reason.command_status, unknown)
        return StanzaError(condition, f"{text} ({reason})")
    if isinstance(reason, NotAnswered):
        text = "it may have been delivered all the same" if reason.maybe_taken else "it was not sent; try later"
        return StanzaError(Condition.RECIPIENT_UNAVAILABLE, f"the message centre did not answer; {text}")
    raise reason


def _short_messages(submission: Submission) -> list[ShortMessage]:
    stanza = submission.stanza
    receipt = RECEIPT_ALWAYS if wants_receipt(stanza) else RECEIPT_OF_FAILURE
    return short_messages(
        submission.source, _phone(stanza), _words(stanza), submission.reference, receipt, stanza.trace_id
    )  # fmt: skip


def _phone(message: Stanza) -> str:
    assert message.to is not None
    return phone_number(unescape(message.to.localpart))


def _words(message: Stanza) -> str:
    """The body, after the subject if there is one."""
    tree = message.tree
    body, subject = (xml.text_of(tree, f"{{{CLIENT}}}{name}") or "" for name in ("body", "subject"))
    return f"({subject}) {body}" if subject and body else body
