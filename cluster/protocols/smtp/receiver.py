"""Who decides about the mail that SMTP brings, and takes it."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Refused(Exception):
    """Says no to a command, with an SMTP reply: 4yz for now, 5yz for good."""

    def __init__(self, code: int, text: str) -> None:
        """`text` begins with an enhanced status code (RFC 3463)."""
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class Envelope(msgspec.Struct):
    """What SMTP says of a mail."""

    peer: str
    """IP address."""
    helo: str
    return_path: str
    """Empty for a failure report."""
    recipients: list[str]
    """Normal addresses."""
    id: str = ""
    """By which its sender knows it, as it came (RFC 3461 section 4.4: xtext)."""
    tell: dict[str, str] = {}
    """Recipients whose delivery is to be reported, and by which address the sender knows each, as that came."""


class Receiver(Protocol):
    """Decides about mail, and takes it."""

    domain: str
    """By which the host greets."""
    max_bytes: int
    """Of a mail."""
    reports_delivery: bool
    """It tells of the delivery where that is asked for (RFC 3461)."""

    async def check_recipient(self, envelope: Envelope, address: str) -> None:
        """Raises Refused for an address that gets no mail here."""

    async def take(self, envelope: Envelope, data: bytes) -> str:
        """Take over a mail, for all of its recipients; a word about it for the log of whoever sent it.

        When it returns, the mail is safe. Raises Refused, and then has taken it for nobody, or can tell it from a
        new one when it comes again.
        """
