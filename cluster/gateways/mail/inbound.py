"""Incoming mail: its receivers, and the message that it becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure as TwistedFailure

from cluster.base.clock import Clock, as_interface
from cluster.base.settled import Settled
from cluster.components.connection import NotCarried, Overloaded
from cluster.gateways.mail.addresses import Account, Addresses, Bounce, NotHere, Postmaster, Unknown
from cluster.gateways.mail.bounces import Bounces
from cluster.gateways.mail.configuration import MailSettings
from cluster.protocols.mime.parsed import ParsedMail, kept_headers, read
from cluster.protocols.mime.report import read_failure, tells_delivery
from cluster.protocols.mime.threads import thread_of
from cluster.protocols.smtp.port import Ledger, Sent, Taken
from cluster.protocols.smtp.receiver import Envelope, Refused
from cluster.trace.hop import Event, Tracer
from cluster.xmpp.element import Element
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make

MAX_HOSTS = 50
"""RFC 5321 section 6.3: a mail with more Received headers is in a loop. 100 is advised, 50 is usual."""
WAIT_S = 60.0
"""Time limit for a server that is away; then the other host keeps the mail. It would wait for ten minutes."""


class Inbound:
    """The `Receiver` of SMTP: turns mails into messages."""

    _log = Logger()
    reports_delivery = False
    """Only the server of an account knows whether a mail was delivered."""

    def __init__(
        self,
        clock: Clock,
        settings: MailSettings,
        addresses: Addresses,
        ledger: Ledger,
        bounces: Bounces,
        tracer: Tracer,
        send: Callable[[Stanza], Settled],
        contact: Callable[[str], Jid],
        new_id: Callable[[], str],
    ) -> None:
        """`send` is that of the component; `contact` returns the JID of a mail address, or raises StanzaError."""
        self.domain = settings.domain
        self.max_bytes = settings.max_mail_bytes
        self._clock = clock
        self._name = settings.name
        self._addresses = addresses
        self._ledger = ledger
        self._bounces = bounces
        self._tracer = tracer
        self._send = send
        self._contact = contact
        self._new_id = new_id

    async def check_recipient(self, envelope: Envelope, address: str) -> None:
        """Accept addresses of the gateway's domains, and other accounts that wrote to the sender.

        Only the server of an account knows whether it exists: if not, its error becomes a report to the sender.
        """
        try:
            found = self._addresses.find(address)
        except NotHere:
            raise Refused(550, f"5.7.1 mail for {address} is not accepted: relaying denied") from None
        except Unknown:
            raise Refused(550, f"5.1.1 no mailbox {address}") from None
        try:
            if (
                isinstance(found, Account)
                and not found.is_ours
                and await self._ledger.find(f"from {found.jid.bare}") is None
            ):
                raise Refused(550, f"5.7.1 {found.jid} has not written to you through this gateway")
            if isinstance(found, Bounce) and not isinstance(await self._ledger.find(found.key), Sent):
                raise Refused(550, f"5.1.1 no mailbox {address}")
        except ConnectionLost:
            raise Refused(451, "4.3.0 cannot look that up now; try again later") from None

    async def take(self, envelope: Envelope, data: bytes) -> str:
        """Send the mail on as a message. Raises Refused."""
        letter = read(data)
        if letter.received > MAX_HOSTS:
            raise Refused(554, f"5.4.6 it came through {letter.received} hosts: it goes in a circle")
        if self.domain in letter.gateways and not letter.is_from_list:
            raise Refused(554, "5.4.6 it left through this gateway: it goes in a circle")
        sending = [
            Deferred.fromCoroutine(self._take_for(envelope, address, letter, data)) for address in envelope.recipients
        ]
        results: Any = await DeferredList(sending, consumeErrors=True)  # cancelling it cancels them
        failures = [failure for done, failure in results if not done]
        if failures:
            self._refuse(failures)
        return f"{len(sending)} taken"

    def _refuse(self, failures: list[TwistedFailure]) -> None:
        """Refuse the mail for all recipients; when it comes again, the ledger knows those who have it."""
        if all(isinstance(failure.value, NotCarried) for failure in failures):
            raise Refused(554, f"5.6.0 no message can hold it: {failures[0].getErrorMessage()}")
        for failure in failures:
            if not isinstance(failure.value, Overloaded | ConnectionLost | CancelledError):
                self._log.failure("a mail could not be taken", failure)
        raise Refused(451, "4.3.2 the XMPP server is away; try again later")

    async def _take_for(self, envelope: Envelope, address: str, letter: ParsedMail, data: bytes) -> None:
        found = self._addresses.find(address)
        detail = f"from {envelope.peer}"
        self._tracer.record_foreign(
            Event.RECEIVED, letter.trace_id, "mail", letter.sender, address, len(data), detail, self._name
        )
        match found:
            case Bounce(key):
                await self._take_report(key, data)
            case Postmaster():
                self._log.info(
                    "mail for the postmaster from {sender}: {subject}", sender=letter.sender, subject=letter.subject
                )
            case Account(jid):
                if envelope.return_path or not await self._is_report_of_ours(data):
                    await self._send_on(envelope, jid, letter, data)

    async def _take_report(self, key: str, data: bytes) -> None:
        """Handle a report at the return path, which is for reports only."""
        failure, sent = read_failure(data), await self._ledger.find(key)
        if failure is not None and isinstance(sent, Sent):
            await self._bounces.tell_sender(sent, failure.status, failure.text)
        elif isinstance(sent, Sent) and tells_delivery(data):
            await self._bounces.tell_delivery(sent)
        else:
            self._log.info("a mail to the return path of {key} reports no failure; dropped", key=key)

    async def _is_report_of_ours(self, data: bytes) -> bool:
        """Whether this is a report that a host sent to the wrong address; its sender is then told."""
        failure = read_failure(data)
        local, _, domain = failure.message_id.strip("<>").rpartition("@") if failure else ("", "", "")
        sent = await self._ledger.find(local) if failure and domain == self.domain else None
        if failure is None or not isinstance(sent, Sent):
            return False
        await self._bounces.tell_sender(sent, failure.status, failure.text)
        return True

    async def _send_on(self, envelope: Envelope, account: Jid, letter: ParsedMail, data: bytes) -> None:
        id = self._stanza_id(envelope, account, letter, data)
        known = await self._ledger.find(id)
        if isinstance(known, Taken) and known.is_delivered:
            self._log.info("{id} comes again; it is not sent twice", id=letter.message_id)
            return
        return_path = "" if letter.is_automatic else envelope.return_path
        taken = Taken(account, return_path, kept_headers(data), False, letter.trace_id)
        await self._ledger.note(id, taken)  # before its error can arrive
        settled = self._send(self._message(id, account, letter))
        if settled is not None:
            late: Any = TwistedFailure(Overloaded("the server is away"))
            settled.addTimeout(WAIT_S, as_interface(self._clock), lambda *_: late)
            await settled
        await self._ledger.note(id, msgspec.structs.replace(taken, is_delivered=True))

    def _stanza_id(self, envelope: Envelope, account: Jid, letter: ParsedMail, data: bytes) -> str:
        """The same id when the same mail comes again; a mail without a Message-ID is always a new one."""
        if not letter.message_id:
            return self._new_id()
        mark = hashlib.sha256(f"{envelope.return_path} {account} {letter.message_id} ".encode())
        mark.update(data)
        return mark.hexdigest()[:32]

    def _message(self, id: str, account: Jid, letter: ParsedMail) -> Stanza:
        body = Element(f"{{{CLIENT}}}body")
        body.text = letter.text
        payload = [body]
        try:
            sender = self._contact(letter.sender)
        except StanzaError:
            sender = Jid("", self.domain)
            body.text = f"[from {letter.sender or 'an unknown sender'}]\n\n{letter.text}"
        if letter.subject:
            subject = Element(f"{{{CLIENT}}}subject")
            subject.text = letter.subject
            payload.insert(0, subject)
        root = (*letter.references, letter.message_id)[0]
        if root:
            thread = Element(f"{{{CLIENT}}}thread")
            thread.text = thread_of(root, self.domain)
            payload.append(thread)
        # type normal (RFC 6121 section 5.2.2), which is stored for an account that is away
        message = make("message", from_=sender, to=account, id=id, payload=payload)
        return msgspec.structs.replace(message, trace_id=letter.trace_id)
