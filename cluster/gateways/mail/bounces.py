"""Tells senders what happened to a message or a mail: by an error stanza, a receipt or a failure report."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cluster.base.settled import Settled, until_settled
from cluster.gateways.delivery_receipts import receipt_for
from cluster.gateways.mail.addresses import Addresses
from cluster.protocols.mime.report import Report, compose_report
from cluster.protocols.smtp.port import Mail, Sent, Taken
from cluster.protocols.smtp.sender import Answer
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza, make

_STATUS = {
    Condition.ITEM_NOT_FOUND: "5.1.1",
    Condition.SERVICE_UNAVAILABLE: "5.1.1",  # RFC 6121 section 8.5.1: there is no such account
    Condition.RECIPIENT_UNAVAILABLE: "5.2.1",
    Condition.JID_MALFORMED: "5.1.3",
    Condition.REMOTE_SERVER_NOT_FOUND: "5.1.2",
    Condition.REMOTE_SERVER_TIMEOUT: "5.4.4",
    Condition.RESOURCE_CONSTRAINT: "5.2.2",
    Condition.FORBIDDEN: "5.7.1",
    Condition.NOT_ALLOWED: "5.7.1",
    Condition.NOT_AUTHORIZED: "5.7.1",
    Condition.POLICY_VIOLATION: "5.7.1",
}
"""Enhanced status codes (RFC 3463) of stanza errors; 5.0.0 for the others."""
_ABOUT_ADDRESS = (550, 551, 553)
"""RFC 5321 section 4.2.3: mailbox unavailable, user not local, mailbox name not allowed; in reply to RCPT."""


def error_for(answer: Answer) -> StanzaError:
    """The stanza error for a mail that the other host refused."""
    if not answer.is_final:
        return StanzaError(Condition.REMOTE_SERVER_TIMEOUT, f"the mail was not taken in time: {answer}")
    enhanced = answer.text.partition(" ")[0]
    if enhanced.count(".") == 2 and enhanced.startswith("5."):
        return error_of_status(enhanced, str(answer))
    is_about_address = answer.to_recipient and answer.code in _ABOUT_ADDRESS
    return StanzaError(Condition.ITEM_NOT_FOUND if is_about_address else Condition.NOT_ACCEPTABLE, str(answer))


def error_of_status(status: str, text: str) -> StanzaError:
    """The stanza error for an enhanced status code (RFC 3463 section 3): x.1.y is about the address."""
    match status.split("."):
        case ["4", *_]:
            return StanzaError(Condition.REMOTE_SERVER_TIMEOUT, text)
        case [_, "1", *_]:
            return StanzaError(Condition.ITEM_NOT_FOUND, text)
    return StanzaError(Condition.NOT_ACCEPTABLE, text)


class Bounces:
    """Tells senders, on both sides."""

    def __init__(
        self,
        addresses: Addresses,
        send: Callable[[Stanza], Settled],
        new_id: Callable[[], str],
        now_utc_s: Callable[[], float],
    ) -> None:
        self._addresses = addresses
        self._send = send
        self._new_id = new_id
        self._now_utc_s = now_utc_s

    async def tell_sender(self, sent: Sent, status: str, text: str) -> None:
        """Tell the sender of a message that left as a mail about a report for it. Raises Overloaded."""
        await self._tell(sent, error_of_status(status, f"{status} {text}".strip()))

    async def tell_delivery(self, sent: Sent) -> None:
        """Tell the sender of a message that left as a mail that it has arrived. Raises Overloaded."""
        if sent.wants_receipt and sent.id is not None:
            receipt = receipt_for(sent.id, sent.from_, sent.to.bare, sent.message_type, self._new_id())
            await until_settled(self._send(msgspec.structs.replace(receipt, trace_id=sent.trace_id)))

    async def failed(self, mail: Mail, answer: Answer) -> None:
        """Called by the queue: a mail was refused, or is too old. Raises Overloaded."""
        if mail.sent is not None:
            await self._tell(mail.sent, error_for(answer))

    def report(self, taken: Taken, error: StanzaError) -> Mail:
        """The failure report for a mail whose message returned with an error."""
        id, now_utc_s = self._new_id(), self._now_utc_s()
        report = Report(
            reporter=self._addresses.domain,
            return_path=taken.return_path,
            recipient=self._addresses.of(taken.account),
            status=_STATUS.get(error.condition, "5.0.0"),
            text=str(error),
            headers=taken.headers,
            message_id=f"<{id}@{self._addresses.domain}>",
            date_utc_s=now_utc_s,
            boundary=f"report-{id}",
            trace_id=taken.trace_id,
        )
        return Mail(id, "", taken.return_path, compose_report(report), now_utc_s, now_utc_s, trace_id=taken.trace_id)

    async def _tell(self, sent: Sent, error: StanzaError) -> None:
        message = make("message", from_=sent.from_, to=sent.to, id=sent.id)
        await until_settled(self._send(msgspec.structs.replace(message.error(error), trace_id=sent.trace_id)))
