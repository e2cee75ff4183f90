"""Whom a mail host knows."""

from __future__ import annotations

import msgspec


class MailboxSettings(msgspec.Struct, frozen=True):
    """A mailbox of the host."""

    address: str
    """`friar@abbey.example`"""
    name: str
    """Of the lab node: `fc2`."""


class MailHostSettings(msgspec.Struct, frozen=True):
    """One mail host."""

    name: str
    """Of the lab node: `fn2`."""
    host_name: str
    """By which it greets: `mx.abbey.example`."""
    mailboxes: tuple[MailboxSettings, ...]
    """Their domains are those that it takes mail for."""
    max_mail_bytes: int = 10 * 2**20
    max_mails_per_s: float = 1_000.0
    """That one other host may bring."""
