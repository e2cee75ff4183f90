"""Composes a mail (RFC 5322, MIME) in such a way that no part of it can be taken for another."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage

import msgspec

from cluster.protocols.mime.headers import address_value, date_value, fields, one_line, text_value

GATEWAY_HEADER = "X-Xmpplab-Gateway"
"""In each mail that a gateway sends: its domain. A mail that returns with it is in a loop."""
TRACE_HEADER = "X-Xmpplab-Trace"
"""The trace id of a followed mail."""
MAX_SUBJECT_CHARACTERS = 500
SUBJECT_FROM_TEXT_CHARACTERS = 60
"""Characters of a text that replace a missing subject."""


class Draft(msgspec.Struct, frozen=True):
    """The parts of a mail."""

    sender: str
    recipient: str
    subject: str
    text: str
    message_id: str
    """With its < and >."""
    date_utc_s: float
    sender_name: str = ""
    references: tuple[str, ...] = ()
    """Message-IDs, from the conversation's first to the one that this mail answers."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers; ASCII words."""


def compose(draft: Draft) -> bytes:
    """The mail as it goes over the wire, without the dots of SMTP: lines end with CRLF."""
    body = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))  # so that no host needs 8BITMIME for it
    lines = draft.text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    body.set_content(lines, charset="utf-8")
    pairs = [
        ("From", address_value(draft.sender, draft.sender_name)),
        ("Reply-To", address_value(draft.sender)),
        ("To", address_value(draft.recipient)),
        ("Subject", text_value(draft.subject[:MAX_SUBJECT_CHARACTERS], "Subject")),
        ("Date", date_value(draft.date_utc_s)),
        ("Message-ID", draft.message_id),
    ]
    if draft.references:
        pairs += [("In-Reply-To", draft.references[-1]), ("References", "\r\n ".join(draft.references))]
    return fields([*pairs, *draft.headers]) + body.as_bytes()


def subject_for(text: str) -> str:
    """The beginning of a text, which replaces a missing subject."""
    first = next((line for line in map(one_line, text.splitlines()) if line), "")
    if len(first) <= SUBJECT_FROM_TEXT_CHARACTERS:
        return first
    cut = first[:SUBJECT_FROM_TEXT_CHARACTERS]
    return (cut.rpartition(" ")[0] or cut) + " …"
