"""The mail gateway's own part: messages become mails, errors become reports."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.logger import Logger

from cluster.base import reasons
from cluster.base.clock import Clock
from cluster.base.storage import insist
from cluster.components.gateway import Gateway, Service, contact_address
from cluster.gateways.delivery_receipts import RECEIPTS, wants_receipt
from cluster.gateways.mail.addresses import Account, Addresses, Unknown
from cluster.gateways.mail.bounces import Bounces
from cluster.gateways.repetition import key_of
from cluster.protocols.mime.address import BadAddress, domain_of, for_the_wire, normal
from cluster.protocols.mime.compose import GATEWAY_HEADER, TRACE_HEADER, Draft, compose, subject_for
from cluster.protocols.mime.parsed import TRACE_ID
from cluster.protocols.mime.threads import root_of
from cluster.protocols.smtp.port import Correspondent, Ledger, Mail, Sent, Taken
from cluster.protocols.smtp.queue import OutboundQueue, QueueFull
from cluster.trace.hop import Event, Tracer
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, error_of


class MailGateway(Gateway):
    """The `Gateway` of mail. Everybody may write through it, as everybody may write a mail."""

    _log = Logger()
    service = Service(
        type="smtp",
        name="Mail",
        prompt="Mail address",
        description="Write a mail address, such as friar@abbey.example.",
        contact_identity=("account", "registered"),
        contact_features=(RECEIPTS,),
    )

    def __init__(
        self,
        clock: Clock,
        addresses: Addresses,
        queue: OutboundQueue,
        ledger: Ledger,
        bounces: Bounces,
        tracer: Tracer,
        *,
        now_utc_s: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._clock = clock
        self._addresses = addresses
        self._queue = queue
        self._ledger = ledger
        self._bounces = bounces
        self._tracer = tracer
        self._now_utc_s = now_utc_s
        self._new_id = new_id

    def normal(self, address: str) -> str:
        """The normal form of a mail address. Raises StanzaError."""
        try:
            address = normal(address)
            for_the_wire(address)
        except BadAddress as error:
            raise StanzaError(Condition.ITEM_NOT_FOUND, str(error)) from None
        return address

    async def on_message(self, message: Stanza) -> None:
        """A message becomes a mail, an error becomes a report on the mail that it answers."""
        try:
            if message.type == "error":
                await self._report(message)
            else:
                await self._mail(message)
        except QueueFull as error:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, str(error)) from None

    async def _mail(self, message: Stanza) -> None:
        assert message.to is not None
        assert message.from_ is not None
        recipient = contact_address(self, message.to)
        if self._addresses.takes(domain_of(recipient)):
            raise self._is_ours(recipient)
        tree = message.tree
        text, subject = _text(tree, "body"), _text(tree, "subject")
        if not text and not subject:
            detail = "it has no text; mails know no chat states or receipts"
            self._tracer.record(Event.DROPPED, message, detail, reason=reasons.NO_TEXT)
            return
        id = key_of(message) or self._new_id()
        if await self._ledger.find(id) is not None:
            self._log.info("{from_} repeats a message; it is not sent twice", from_=str(message.from_))
            return
        draft = self._draft(message, tree, id, recipient, subject or subject_for(text), text)
        trace_id = message.trace_id if TRACE_ID.fullmatch(message.trace_id) else ""
        sent = Sent(message.from_, message.to, message.id, trace_id, message.type, wants_receipt(message))
        now_utc_s = self._now_utc_s()
        await self._ledger.note(f"from {message.from_.bare}", Correspondent())
        await self._queue.submit(
            Mail(
                id, self._addresses.bounce(id), recipient, compose(draft), now_utc_s, now_utc_s,
                sent=sent, trace_id=trace_id,
            )
        )  # fmt: skip
        await insist(self._clock, partial(self._ledger.note, id, sent))  # it is on its way: no error is true any more

    def _is_ours(self, recipient: str) -> StanzaError:
        try:
            found = self._addresses.find(recipient)
        except Unknown:
            return StanzaError(Condition.ITEM_NOT_FOUND, f"no mailbox {recipient}")
        who = str(found.jid) if isinstance(found, Account) else recipient
        text = f"{recipient} is reached by XMPP; write to {who} without the gateway"
        return StanzaError(Condition.NOT_ACCEPTABLE, text)

    def _draft(self, message: Stanza, tree: Element, id: str, recipient: str, subject: str, text: str) -> Draft:
        assert message.from_ is not None
        domain, sender = self._addresses.domain, self._addresses.of(message.from_)
        headers = [(GATEWAY_HEADER, _ascii(domain))]
        if message.type == "headline":
            headers.append(("Auto-Submitted", "auto-generated"))  # RFC 3834 section 5
        if TRACE_ID.fullmatch(message.trace_id):
            headers.append((TRACE_HEADER, message.trace_id))
        thread = _text(tree, "thread")
        return Draft(
            sender=sender,
            sender_name=str(message.from_.bare),
            recipient=recipient,
            subject=subject,
            text=text,
            message_id=f"<{id}@{_ascii(domain)}>",
            date_utc_s=self._now_utc_s(),
            references=(root_of(thread, _ascii(domain)),) if thread else (),
            headers=tuple(headers),
        )

    async def _report(self, message: Stanza) -> None:
        """Report to the sender of a mail that it did not reach an account, unless the mail wants no report."""
        taken = await self._ledger.find(message.id) if message.id else None
        assert message.from_ is not None
        if not isinstance(taken, Taken) or taken.account.bare != message.from_.bare or not taken.return_path:
            self._log.info("an error from {from_} is about no mail that wants a report", from_=str(message.from_))
            return
        await self._queue.submit(self._bounces.report(taken, error_of(message)))


def _ascii(domain: str) -> str:
    return domain_of(for_the_wire(f"postmaster@{domain}"))


def _text(tree: Element, name: str) -> str:
    """The element in the stanza's own language, if there are several (RFC 6121 section 5.2.3)."""
    found = tree.findall(f"{{{CLIENT}}}{name}")
    own = [element for element in found if "{http://www.w3.org/XML/1998/namespace}lang" not in element.attrib]
    return next((element.text or "" for element in own or found), "")
