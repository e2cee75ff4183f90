"""The requests that a mail host answers."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.base.request import Request, Requests, Status
from cluster.networks.requests import FAULTS


class MailView(msgspec.Struct, frozen=True):
    """A mail in a mailbox."""

    at_utc_s: float
    from_: str = msgspec.field(name="from")
    subject: str
    text: str
    message_id: str
    trace_id: str


class MailboxLs(Request[list[dict[str, Any]]], frozen=True, tag="mailbox_ls"):
    """The mailboxes of a mail host."""


class Inbox(Request[list[MailView]], frozen=True, tag="inbox"):
    """The mails in a mailbox, oldest first, without the first `after`."""

    mailbox: str
    after: int = 0


class Send(Request[str], frozen=True, tag="send"):
    """Send a mail from a mailbox; the answer is its Message-ID."""

    sender: str
    to: str
    subject: str
    text: str
    trace_id: str = ""


class MailReply(Request[str], frozen=True, tag="reply"):
    """Answer a mail in a mailbox; the answer is the Message-ID. `to`: an address other than the mail's own."""

    mailbox: str
    message_id: str
    text: str
    trace_id: str = ""
    to: str = ""


REQUESTS: Requests = (Status, *FAULTS, MailboxLs, Inbox, Send, MailReply)
