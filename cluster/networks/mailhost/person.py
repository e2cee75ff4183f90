"""A mailbox, as its owner uses it."""

from __future__ import annotations

from typing_extensions import override

from cluster.networks.mailhost.requests import Inbox, MailReply, MailView, Send
from cluster.networks.person import Person
from cluster.protocols.mime.quoted import quote


class Mailbox(Person):
    """A mailbox in a network of the lab."""

    @override
    def inbox(self, after: int = 0) -> list[MailView]:
        return self._ask(Inbox(self.address, after))

    @override
    def write(self, to: str, domain: str, text: str, trace_id: str) -> None:
        self.send(f"{quote(to)}@{domain}", "", text, trace_id)

    @override
    def answer(self, to: str, domain: str, text: str, *, answering: str, trace_id: str) -> None:
        message_id = next(mail.message_id for mail in reversed(self.inbox()) if mail.trace_id == answering)
        self._ask(MailReply(self.address, message_id, text, trace_id, f"{quote(to)}@{domain}"))

    def send(self, to: str, subject: str, text: str, trace_id: str = "") -> None:
        """Send a mail to an address."""
        self._ask(Send(self.address, to, subject, text, trace_id))

    def reply(self, text: str, number: str = "") -> None:
        """Answer the mail of this number in the inbox, otherwise the newest. Raises ValueError."""
        mails = self.inbox()
        if number and not (number.isascii() and number.isdigit() and 1 <= int(number) <= len(mails)):
            raise ValueError(f"no mail {number}; the inbox has {len(mails)}")
        if not mails:
            raise ValueError(f"nothing to reply to: {self.address} has received no mail")
        self._ask(MailReply(self.address, mails[int(number) - 1 if number else -1].message_id, text))
