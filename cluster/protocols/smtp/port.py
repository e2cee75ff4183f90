"""The storage of a mail gateway: outgoing mails, and what it needs to know when an answer to a message comes."""

from __future__ import annotations

from typing import Protocol

import msgspec

from cluster.xmpp.jid import Jid


class Sent(msgspec.Struct, frozen=True, tag=True):
    """A message that left as a mail, so that its sender can be told of a failure."""

    from_: Jid
    """The sender's full JID."""
    to: Jid
    """The JID of the mail address."""
    id: str | None
    trace_id: str = ""
    message_type: str | None = None
    wants_receipt: bool = False
    """The sender requested a receipt (XEP-0184)."""


class Taken(msgspec.Struct, frozen=True, tag=True):
    """A mail that was passed on as a message, so that its sender can be told of a failure."""

    account: Jid
    """The recipient."""
    return_path: str
    """Empty if no report is wanted: for reports themselves, and for automatic mails (RFC 3834)."""
    headers: bytes
    """The beginning of the mail, from which its sender recognises it."""
    is_delivered: bool
    """The server has the message; it is not sent again when the mail is repeated."""
    trace_id: str = ""


class Correspondent(msgspec.Struct, frozen=True, tag=True):
    """An account that wrote a mail, and so may get answers."""


Record = Sent | Taken | Correspondent


class Mail(msgspec.Struct, frozen=True):
    """One outgoing mail."""

    id: str
    """Unique; a mail with the same id replaces this one."""
    return_path: str
    """Empty for a failure report, about which there are no reports."""
    recipient: str
    data: bytes
    """In the form of RFC 5322, with CRLF."""
    accepted_utc_s: float
    due_utc_s: float
    """The time of the next attempt."""
    attempts: int = 0
    sent: Sent | None = None
    """The message that it was; None for a mail that the gateway, or a mail host, wrote itself."""
    trace_id: str = ""


class Spool(Protocol):
    """Outgoing mails, which survive a crash."""

    async def put(self, mail: Mail) -> None:
        """Store the mail, in place of one with the same id."""

    async def drop(self, id: str) -> None:
        """Remove the mail."""

    async def load(self) -> list[Mail]:
        """All mails, in the order in which they were accepted."""


class Ledger(Protocol):
    """Mails that crossed recently, by any key; forgotten after KEPT_S to twice that."""

    async def note(self, key: str, record: Record) -> None:
        """Store what is known of a mail, in place of what was stored under this key."""

    async def find(self, key: str) -> Record | None:
        """What is stored under this key."""


KEPT_S = 5 * 86_400.0
"""As long as a host may try and then report a failure (RFC 5321 section 4.5.4.1: 4 to 5 days)."""
