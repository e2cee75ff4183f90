"""The configuration of a mail host."""

from __future__ import annotations

import msgspec


class MailboxSettings(msgspec.Struct, frozen=True):
    """A mailbox of the host."""

    address: str
    """`friar@abbey.example`"""
    name: str
    """Name of the lab node: `fc2`."""


class MailHostSettings(msgspec.Struct, frozen=True):
    """One mail host."""

    name: str
    """Name of the lab node: `fn2`."""
    host_name: str
    """The name in its greeting: `mx.abbey.example`."""
    mailboxes: tuple[MailboxSettings, ...]
    """The host accepts mail for their domains."""
    max_mail_bytes: int = 10 * 2**20
    max_mails_per_s: float = 1_000.0
    """From one other host."""
