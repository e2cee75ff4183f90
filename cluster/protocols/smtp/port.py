"""What a mail gateway keeps: mails on their way out, and what it needs to know when an answer to a message comes."""

from __future__ import annotations

from typing import Protocol

import msgspec

from cluster.xmpp.jid import Jid


class Sent(msgspec.Struct, frozen=True, tag=True):
    """A message that left as a mail: who hears of its failure, and of which stanza."""

    from_: Jid
    """The sender's full JID."""
    to: Jid
    """The JID that stands for the mail address."""
    id: str | None
    trace_id: str = ""
    message_type: str | None = None
    wants_receipt: bool = False
    """The sender asked to hear of the delivery (XEP-0184)."""


class Taken(msgspec.Struct, frozen=True, tag=True):
    """A mail that went on as a message: who hears of its failure."""

    account: Jid
    """Whom it was for."""
    return_path: str
    """Empty where no report is wanted: for reports themselves, and for what no person wrote (RFC 3834)."""
    headers: bytes
    """The beginning of the mail, which tells its sender which one it was."""
    is_delivered: bool
    """Its message went to the server; it is not sent again when its sender repeats it."""
    trace_id: str = ""


class Correspondent(msgspec.Struct, frozen=True, tag=True):
    """An account that wrote a mail, and so may be answered."""


Record = Sent | Taken | Correspondent


class Mail(msgspec.Struct, frozen=True):
    """One mail on its way out."""

    id: str
    """Unique; a mail with the same one replaces it."""
    return_path: str
    """Empty for a failure report, which is never reported on."""
    recipient: str
    data: bytes
    """As RFC 5322 has it, with CRLF."""
    accepted_utc_s: float
    due_utc_s: float
    """When it is tried next."""
    attempts: int = 0
    sent: Sent | None = None
    """The message that it was; None for one that the gateway, or a mail host, wrote itself."""
    trace_id: str = ""


class Spool(Protocol):
    """Mails on their way out, kept over a crash."""

    async def put(self, mail: Mail) -> None:
        """Keep it, in place of what was kept under its id."""

    async def drop(self, id: str) -> None:
        """Forget it."""

    async def load(self) -> list[Mail]:
        """All of them, those first that were accepted first."""


class Ledger(Protocol):
    """What crossed lately, by any key; forgotten by itself after KEPT_S to twice that."""

    async def note(self, key: str, record: Record) -> None:
        """Remember it, in place of what was known under this key."""

    async def find(self, key: str) -> Record | None:
        """What is known under this key."""


KEPT_S = 5 * 86_400.0
"""As long as a host may keep trying, and report a failure after that (RFC 5321 section 4.5.4.1: 4 to 5 days)."""
