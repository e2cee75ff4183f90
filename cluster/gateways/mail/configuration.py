"""The configuration of a mail gateway."""

from __future__ import annotations

import msgspec

from cluster.xmpp.jid import Jid


class MailSettings(msgspec.Struct, frozen=True):
    """One mail gateway."""

    name: str
    """Name of the lab node: `g2`."""
    domain: str
    """`mail.montague.lit`."""
    xmpp_domains: tuple[str, ...]
    """Domains of accounts whose mail the gateway accepts: `montague.lit`."""
    aliases: tuple[tuple[str, Jid], ...] = ()
    """Further addresses, in their normal form, and their owners; all other addresses in their domains are unknown."""
    max_mail_bytes: int = 5 * 2**20
    """Of an incoming mail, with its attachments."""
    max_mails_per_s: float = 100.0
    """From one host."""
