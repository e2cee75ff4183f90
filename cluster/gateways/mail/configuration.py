"""What a mail gateway has to know."""

from __future__ import annotations

import msgspec

from cluster.xmpp.jid import Jid


class MailSettings(msgspec.Struct, frozen=True):
    """One mail gateway."""

    name: str
    """Of the lab node: `g2`."""
    domain: str
    """`mail.montague.lit`."""
    xmpp_domains: tuple[str, ...]
    """Domains of accounts whose mail the gateway takes: `montague.lit`."""
    aliases: tuple[tuple[str, Jid], ...] = ()
    """Further addresses, in their normal spelling, and whose they are; others of their domains are nobody's."""
    max_mail_bytes: int = 5 * 2**20
    """Of a mail that comes in, with its attachments."""
    max_mails_per_s: float = 100.0
    """That one host may bring."""
