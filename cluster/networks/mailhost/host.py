"""What a mail host does with a mail: deliver it to a mailbox, send it to another host, or report a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from cluster.base.clock import Clock, as_interface
from cluster.networks.mailhost.configuration import MailHostSettings
from cluster.networks.mailhost.mailbox import Mailbox
from cluster.protocols.mime.address import domain_of, local_of
from cluster.protocols.mime.compose import TRACE_HEADER, Draft, compose
from cluster.protocols.mime.parsed import kept_headers, read
from cluster.protocols.mime.report import Report, compose_report
from cluster.protocols.smtp.port import Mail
from cluster.protocols.smtp.queue import OutboundQueue, QueueFull
from cluster.protocols.smtp.receiver import Envelope, Refused
from cluster.protocols.smtp.sender import Answer
from cluster.trace.hop import Event, Tracer

MAX_HOSTS = 50
"""RFC 5321 section 6.3."""


class MailHost:
    """The `Receiver` for the domains of its mailboxes."""

    _log = Logger()
    reports_delivery = True

    def __init__(
        self,
        clock: Clock,
        settings: MailHostSettings,
        mailboxes: Mapping[str, Mailbox],
        tracer: Tracer,
        *,
        now_utc_s: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        """`mailboxes` by address."""
        self.domain = settings.host_name
        self.max_bytes = settings.max_mail_bytes
        self.refusal: Refused | None = None
        """The reply to each RCPT, if the operator wants refusals."""
        self.delay_s = 0.0
        """Delay of the reply to each RCPT."""
        self.queues: Mapping[str, OutboundQueue] = {}
        """Queues to other hosts, by the domain that they accept mail for."""
        self._clock = clock
        self._name = settings.name
        self._mailboxes = mailboxes
        self._domains = {domain_of(address) for address in mailboxes}
        self._tracer = tracer
        self._now_utc_s = now_utc_s
        self._new_id = new_id

    # --- as the Receiver

    async def check_recipient(self, envelope: Envelope, address: str) -> None:
        """Accept its own mailboxes only. Raises Refused."""
        if self.delay_s:
            await deferLater(as_interface(self._clock), self.delay_s)
        if self.refusal is not None:
            raise self.refusal
        if domain_of(address) not in self._domains:
            raise Refused(550, f"5.7.1 mail for {address} is not accepted: relaying denied")
        box = self._find(address)
        if box is None:
            raise Refused(550, f"5.1.1 no mailbox {address}")
        if box.is_full:  # RFC 5321 section 4.2.3, RFC 3463 section 3.3
            raise Refused(452, f"4.2.2 the mailbox {address} is full")

    async def take(self, envelope: Envelope, data: bytes) -> str:
        """Deliver the mail to the mailboxes. Raises Refused."""
        letter = read(data)
        if letter.received > MAX_HOSTS:
            raise Refused(554, f"5.4.6 it came through {letter.received} hosts: it goes in a circle")
        date = format_datetime(datetime.fromtimestamp(int(self._now_utc_s()), UTC))
        id = self._new_id()
        received = (
            f"Received: from {envelope.helo or 'unknown'} ([{envelope.peer}])\r\n"
            f"\tby {self.domain} with ESMTP id {id}; {date}\r\n"
        )
        for address in dict.fromkeys(envelope.recipients):
            detail = f"from {envelope.peer}"
            self._record(Event.RECEIVED, letter.trace_id, self._name, envelope.return_path, address, data, detail)
            self._deliver(envelope.return_path, address, received.encode() + data, letter.trace_id)
            if address in envelope.tell:
                await self._report_delivery(envelope, address, data)
        return f"delivered as {id}"

    async def _report_delivery(self, envelope: Envelope, address: str, data: bytes) -> None:
        """Report the delivery as the sender requested (RFC 3461 section 5.2.1), if a queue leads to its domain."""
        queue = self.queues.get(domain_of(envelope.return_path)) if envelope.return_path else None
        if queue is None:
            self._log.info("no route to {who} for a delivery report", who=envelope.return_path or "nobody")
            return
        report = self._report(
            envelope.return_path, address, "2.0.0", "it is in the mailbox", data, action="delivered",
            envelope_id=envelope.id, original_recipient=envelope.tell[address],
        )  # fmt: skip
        id, now_utc_s = report.message_id.strip("<>"), self._now_utc_s()
        try:
            await queue.submit(Mail(id, "", envelope.return_path, compose_report(report), now_utc_s, now_utc_s))
        except QueueFull as error:
            self._log.warn("no report to {who}: {error}", who=envelope.return_path, error=str(error))

    # --- for the owners of mailboxes

    async def send(self, draft: Draft, trace_id: str = "") -> None:
        """Deliver a mail of a mailbox, or send it to another host. Raises QueueFull, and ValueError if that is
        impossible."""
        data = compose(draft)
        name = self._mailboxes[draft.sender].name
        self._record(Event.SENT, trace_id, name, draft.sender, draft.recipient, data, f"to {draft.recipient}")
        domain = domain_of(draft.recipient)
        if domain in self._domains:
            box = self._find(draft.recipient)
            if box is None:
                raise ValueError(f"no mailbox {draft.recipient} (mailboxes: {', '.join(self._mailboxes)})")
            if box.is_full:
                raise ValueError(f"the mailbox {draft.recipient} is full; delete some of its mails")
            self._deliver(draft.sender, draft.recipient, data, trace_id)
            return
        queue = self.queues.get(domain)
        if queue is None:
            known = ", ".join([*sorted(self._domains), *self.queues])
            raise ValueError(f"{self.domain} knows no way to {domain}; it knows {known}")
        self._record(Event.RECEIVED, trace_id, self._name, draft.sender, draft.recipient, data, f"from {name}")
        now_utc_s = self._now_utc_s()
        id = draft.message_id.strip("<>")
        await queue.submit(
            Mail(id, draft.sender, draft.recipient, data, now_utc_s, now_utc_s, trace_id=trace_id)
        )  # fmt: skip

    async def failed(self, mail: Mail, answer: Answer) -> None:
        """Called by the queues: a failure report (RFC 3464) goes to the sender's mailbox."""
        first = answer.text.partition(" ")[0]
        status = first if first.count(".") == 2 else ("5.0.0" if answer.is_final else "4.4.7")
        report = self._report(
            mail.return_path, mail.recipient, status, str(answer), mail.data, trace_id=mail.trace_id
        )  # fmt: skip
        self._deliver("", mail.return_path, compose_report(report), mail.trace_id)

    def _report(self, return_path: str, recipient: str, status: str, text: str, data: bytes, **more: Any) -> Report:
        id = self._new_id()
        return Report(
            reporter=self.domain,
            return_path=return_path,
            recipient=recipient,
            status=status,
            text=text,
            headers=kept_headers(data),
            message_id=f"<{id}@{self.domain}>",
            date_utc_s=self._now_utc_s(),
            boundary=f"report-{id}",
            **more,
        )

    def _deliver(self, return_path: str, address: str, data: bytes, trace_id: str) -> None:
        found = self._find(address)
        assert found is not None, "somebody let a mail in for no mailbox"
        if found.is_full and not return_path:  # the mail is a report itself, for which there are no reports
            self._record(Event.DROPPED, trace_id, self._name, return_path, address, data, f"{found.name} is full")
            return
        head = f"Return-Path: <{return_path}>\r\nDelivered-To: {address}\r\n".encode()
        found.deliver(head + data, self._now_utc_s())
        self._record(Event.ROUTED, trace_id, self._name, return_path, address, data, f"to {found.name}")
        self._record(Event.DELIVERED, trace_id, found.name, return_path, address, data, "in the mailbox")

    def _find(self, address: str) -> Mailbox | None:
        """The mailbox of an address; upper case and `+tag` in the local part make no difference here."""
        local = local_of(address).partition("+")[0].lower()
        return self._mailboxes.get(f"{local}@{domain_of(address)}")

    def _record(self, event: Event, trace_id: str, node: str, from_: str, to: str, data: bytes, detail: str) -> None:
        self._tracer.record_foreign(event, trace_id, "mail", from_, to, len(data), detail, node)


def traced(trace_id: str) -> tuple[tuple[str, str], ...]:
    """The header of a followed mail."""
    return ((TRACE_HEADER, trace_id),) if trace_id else ()
