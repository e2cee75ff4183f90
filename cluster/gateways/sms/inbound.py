"""From phones to XMPP: a deliver_sm becomes a message to the address that it names, or to the last user who wrote."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable

import msgspec
from twisted.logger import Logger

from cluster.components.connection import NotCarried
from cluster.gateways.sms.addressing import Addressed, addressed
from cluster.gateways.sms.correspondents import Correspondents
from cluster.gateways.sms.numbers import RegisteredNumbers
from cluster.gateways.sms.receipts import Receipts
from cluster.gateways.sms.store import Piece, Table
from cluster.protocols.smpp.compose import destination_of, part_in, source_of, trace_id_in
from cluster.protocols.smpp.concatenation import MAX_PART_OCTETS, Joiner, MessageKey
from cluster.protocols.smpp.constants import CommandStatus, Tag
from cluster.protocols.smpp.pdu import Pdu, Sm
from cluster.protocols.smpp.receipt import is_receipt, is_text, receipt_of
from cluster.xmpp.element import NOT_XML, Element
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.extensions.escaping import escape
from cluster.xmpp.jid import Jid, JidError, prepare_localpart
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, error_of, make

MAX_SENT = 1_000
"""Messages of phones whose errors are still reported to them."""
EXPLAIN_EVERY_S = 600.0
"""A phone, or the machine behind the number, is not told more often how to address somebody."""

MAX_EXPLAINED = 10_000
"""Phones that are known to have been told; the oldest are forgotten first."""

EXPLANATION = "Nobody wrote to you from this number. Begin with an address: name@domain: text"


class Unacceptable(Exception):
    """A deliver_sm that cannot become a message, now or later: `status` is the answer to the message centre."""

    def __init__(self, command_status: CommandStatus, reason: str) -> None:
        super().__init__(reason)
        self.command_status = command_status


class Conversation(msgspec.Struct, frozen=True):
    """A phone, and the number of the gateway that it writes to."""

    phone: str
    number: str


class Inbound:
    """Messages on their way from phones."""

    _log = Logger()

    def __init__(
        self,
        domain: str,
        home_domain: str,
        table: Table[Piece],
        numbers: RegisteredNumbers,
        correspondents: Correspondents,
        receipts: Receipts,
        *,
        send: Callable[[Stanza], Awaitable[None]],
        say: Callable[[str, str, str], None],
        new_id: Callable[[], str],
        seconds: Callable[[], float],
    ) -> None:
        """`home_domain`: of names without a domain.

        `say(number, phone, text)` sends a text of the gateway itself; `seconds` is a steady clock.
        """
        self._domain = domain
        self._home_domain = home_domain
        self._table = table
        self._numbers = numbers
        self._correspondents = correspondents
        self._receipts = receipts
        self._send = send
        self._say = say
        self._new_id = new_id
        self._seconds = seconds
        self._joiner = Joiner()
        self._overdue: deque[tuple[MessageKey, str]] = deque()
        self._sent: OrderedDict[str, Conversation] = OrderedDict()
        self._explained: OrderedDict[str, float] = OrderedDict()

    async def load(self) -> None:
        """Load the parts that earlier processes collected."""
        for piece in (await self._table.load()).values():
            self._join(piece)

    async def on_deliver(self, pdu: Pdu) -> None:
        """Handle a deliver_sm; returns when a crash can no longer lose it. Raises Unacceptable."""
        sm = pdu.body
        assert isinstance(sm, Sm)
        if not is_text(sm):
            await self._on_report(pdu, sm)
            return
        piece = Piece(source_of(sm), destination_of(sm), sm.data_coding, part_in(pdu))
        part = piece.part
        key = MessageKey(piece.source, piece.destination, part.reference, part.total)
        if part.total > 1:
            if len(part.octets) > MAX_PART_OCTETS:
                reason = f"one of {part.total} parts has {len(part.octets)} octets"
                raise Unacceptable(CommandStatus.ESME_RINVMSGLEN, reason)
            await self._table.put(_name(key, part.number), piece)
        words = self._join(piece)
        if words is not None:
            await self._pass_on(Conversation(piece.source, piece.destination), words, pdu)
            self._joiner.done(key)
            await self._drop(key)
        elif self._joiner.is_full:
            await self.expire()

    async def _on_report(self, pdu: Pdu, sm: Sm) -> None:
        """Handle a receipt, or another report that is not a message of a person (section 5.2.12)."""
        receipt = receipt_of(pdu) if is_receipt(sm) else None
        if receipt is not None:
            await self._receipts.on_receipt(receipt)
        elif is_receipt(sm):
            self._log.warn("a delivery receipt that cannot be read: {octets!r}", octets=pdu.octets[:256])
        else:  # an intermediate notification, or an acknowledgement of a phone or its user
            self._log.info("a deliver_sm with esm_class {esm_class:#04x} is not a message", esm_class=sm.esm_class)

    async def expire(self) -> None:
        """Pass on the incomplete long messages whose other parts did not arrive in time."""
        self._overdue += self._joiner.expired(self._seconds())
        while self._overdue:
            key, words = self._overdue.popleft()
            try:
                await self._pass_on(Conversation(key.source, key.destination), words, None)
            except Unacceptable as error:
                self._log.warn("what came of a long message is dropped: {reason}", reason=str(error))
            except BaseException:
                self._overdue.appendleft((key, words))
                raise
            await self._drop(key)

    def bounced(self, error: Stanza) -> None:
        """A message of a phone was returned: tell the phone why."""
        conversation = self._sent.pop(error.id or "", None)
        if conversation is not None and error.from_ is not None:
            reason: StanzaError = error_of(error)
            self._say(
                conversation.number, conversation.phone,
                f"Not delivered to {error.from_.bare}: {reason.text or reason.condition}",
            )  # fmt: skip

    def _join(self, piece: Piece) -> str | None:
        return self._joiner.add(piece.source, piece.destination, piece.data_coding, piece.part, self._seconds())

    async def _drop(self, key: MessageKey) -> None:
        if key.total > 1:
            await self._table.delete(*(_name(key, number) for number in range(1, key.total + 1)))

    async def _pass_on(self, conversation: Conversation, words: str, pdu: Pdu | None) -> None:
        target = self._target(conversation, words)
        if target is None:
            self._explain(conversation)
            return
        await self._correspondents.note(conversation.phone, conversation.number, target.to.bare)
        body = Element(f"{{{CLIENT}}}body")
        body.text = NOT_XML.sub("\ufffd", target.text)
        id = self._id(conversation, pdu)
        message = make("message", to=target.to, from_=self._jid(conversation.phone), id=id, type="chat", payload=[body])
        self._sent[id] = conversation
        if len(self._sent) > MAX_SENT:
            self._sent.popitem(last=False)
        try:
            await self._send(msgspec.structs.replace(message, trace_id=trace_id_in(pdu) if pdu else ""))
        except NotCarried as error:
            raise Unacceptable(CommandStatus.ESME_RX_R_APPN, f"no message can hold the text: {error}") from None

    def _target(self, conversation: Conversation, words: str) -> Addressed | None:
        """The recipient: named in the text, otherwise the owner of the number, otherwise the last user who wrote."""
        named = addressed(words, self._home_domain)
        if named is not None:
            return named
        owner = self._numbers.owner_of(conversation.number)
        to = owner or self._correspondents.last(conversation.phone, conversation.number)
        return None if to is None else Addressed(to, words)

    def _explain(self, conversation: Conversation) -> None:
        now_s = self._seconds()
        told_s = self._explained.pop(conversation.phone, None)
        is_due = told_s is None or now_s - told_s >= EXPLAIN_EVERY_S
        self._explained[conversation.phone] = now_s if is_due or told_s is None else told_s
        if len(self._explained) > MAX_EXPLAINED:
            self._explained.popitem(last=False)
        if is_due:
            self._say(conversation.number, conversation.phone, EXPLANATION)

    def _jid(self, phone: str) -> Jid:
        """The JID of the phone; of the gateway itself if the sender's address cannot be a JID."""
        try:
            return Jid(prepare_localpart(escape(phone)), self._domain)
        except (JidError, ValueError):
            return Jid("", self._domain)

    def _id(self, conversation: Conversation, pdu: Pdu | None) -> str:
        """The same id for a message that the message centre repeats, if it numbers its messages."""
        reference = pdu.tlvs.get(Tag.USER_MESSAGE_REFERENCE) if pdu else None
        return f"sms-{conversation.phone}-{reference.hex()}" if reference else self._new_id()


def _name(key: MessageKey, number: int) -> str:
    return f"{key.source} {key.destination} {key.reference} {key.total} {number}"
