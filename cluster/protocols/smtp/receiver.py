"""The interface between the SMTP server and the program that accepts its mail."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Refused(Exception):
    """Refuses a command, with an SMTP reply: 4yz for now, 5yz for good."""

    def __init__(self, code: int, text: str) -> None:
        """`text` begins with an enhanced status code (RFC 3463)."""
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class Envelope(msgspec.Struct):
    """The SMTP envelope of a mail."""

    peer: str
    """IP address."""
    helo: str
    return_path: str
    """Empty for a failure report."""
    recipients: list[str]
    """Normal addresses."""
    id: str = ""
    """The sender's id of it, as received (RFC 3461 section 4.4: xtext)."""
    tell: dict[str, str] = {}
    """Recipients whose delivery is to be reported, each with the address that the sender knows, as received."""


class Receiver(Protocol):
    """Decides about mail, and accepts it."""

    domain: str
    """The name in the greeting of the host."""
    max_bytes: int
    """Of a mail."""
    reports_delivery: bool
    """It reports deliveries on request (RFC 3461)."""

    async def check_recipient(self, envelope: Envelope, address: str) -> None:
        """Raises Refused for an address that gets no mail here."""

    async def take(self, envelope: Envelope, data: bytes) -> str:
        """Accept a mail for all of its recipients; returns a text for the log of its sender.

        When it returns, the mail is safe. If it raises Refused, nobody has the mail, or a repetition will be
        recognised.
        """
