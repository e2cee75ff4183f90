"""A received mail, as far as the gateway and the mail host need it."""

from __future__ import annotations

import re
from email.utils import getaddresses

import msgspec

from cluster.protocols.mime.address import BadAddress, normal
from cluster.protocols.mime.compose import GATEWAY_HEADER, MAX_SUBJECT_CHARACTERS, TRACE_HEADER
from cluster.protocols.mime.mime import header, parse, raw_header, raw_headers, text_of, tried
from cluster.protocols.mime.threads import message_ids

TRACE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
"""A trace id that can be the value of a header."""
MAX_KEPT_HEADER_BYTES = 2_000


class ParsedMail(msgspec.Struct, frozen=True):
    """The parts of a received mail that matter."""

    sender: str
    """The normal address of the visible sender; empty if it has none."""
    reply_to: str
    """The address for answers; differs from the sender only if the mail says so."""
    subject: str
    text: str
    message_id: str
    """With its < and >; empty if it has none."""
    references: tuple[str, ...]
    """Message-IDs of the conversation so far, the first one first."""
    is_automatic: bool
    """No person wrote it, or it goes to many: no program may answer it (RFC 3834 section 2)."""
    is_from_list: bool
    received: int
    """The number of hosts that it has passed."""
    gateways: tuple[str, ...]
    """The domains of the gateways that it has passed."""
    trace_id: str


def read(data: bytes) -> ParsedMail:
    """Parse a mail; does not raise, whatever the mail."""
    mail = parse(data)
    sender = _first_address(raw_headers(mail, "From"))
    ids = message_ids(raw_header(mail, "References")) or message_ids(raw_header(mail, "In-Reply-To"))
    trace_id = raw_header(mail, TRACE_HEADER)
    precedence = raw_header(mail, "Precedence").lower()
    auto_submitted = raw_header(mail, "Auto-Submitted").lower()
    is_from_list = bool(raw_header(mail, "List-Id") or raw_header(mail, "List-Post"))
    return ParsedMail(
        sender=sender,
        reply_to=_first_address(raw_headers(mail, "Reply-To")) or sender,
        subject=header(mail, "Subject")[:MAX_SUBJECT_CHARACTERS],
        text=text_of(mail),
        message_id=next(iter(message_ids(raw_header(mail, "Message-ID"))), ""),
        references=tuple(ids),
        is_automatic=is_from_list
        or precedence in ("bulk", "list", "junk")
        or (auto_submitted or "no").partition(";")[0].strip() != "no",
        is_from_list=is_from_list,
        received=len(raw_headers(mail, "Received")),
        gateways=tuple(raw_headers(mail, GATEWAY_HEADER)),
        trace_id=trace_id if TRACE_ID.fullmatch(trace_id) else "",
    )


def kept_headers(data: bytes) -> bytes:
    """The first whole header lines, for a report to the sender."""
    head = re.split(rb"\r?\n\r?\n", data[: MAX_KEPT_HEADER_BYTES * 4], maxsplit=1)[0]
    if len(head) <= MAX_KEPT_HEADER_BYTES:
        return head
    return head[: head.rfind(b"\n", 0, MAX_KEPT_HEADER_BYTES)].rstrip(b"\r") if b"\n" in head else b""


def _first_address(values: list[str]) -> str:
    nobody: list[tuple[str, str]] = []
    for _, address in tried(lambda: getaddresses(values[:1]), nobody):
        try:
            return normal(address)
        except BadAddress:
            continue
    return ""
