"""A mail (RFC 5322, MIME) made of its parts, such that none of them can be taken for another."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage

import msgspec

from cluster.protocols.mime.headers import address_value, date_value, fields, one_line, text_value

GATEWAY_HEADER = "X-Xmpplab-Gateway"
"""In each mail that a gateway sends: its domain. A mail that comes back with it has gone in a circle."""
TRACE_HEADER = "X-Xmpplab-Trace"
"""The trace id of a mail that is followed."""
MAX_SUBJECT_CHARACTERS = 500
SUBJECT_FROM_TEXT_CHARACTERS = 60
"""As much of a text as stands for a subject."""


class Draft(msgspec.Struct, frozen=True):
    """What a mail is made of."""

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
    """More of them; ASCII words."""


def compose(draft: Draft) -> bytes:
    """The mail as it goes over the wire, without the dots of SMTP: lines end with CRLF."""
    body = EmailMessage(policy=policy.SMTP.clone(cte_type="7bit"))  # no host needs 8BITMIME for it
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
    """The beginning of a text, to stand for a subject that there is not."""
    first = next((line for line in map(one_line, text.splitlines()) if line), "")
    if len(first) <= SUBJECT_FROM_TEXT_CHARACTERS:
        return first
    cut = first[:SUBJECT_FROM_TEXT_CHARACTERS]
    return (cut.rpartition(" ")[0] or cut) + " …"
