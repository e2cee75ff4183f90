"""Delivery status notifications (RFC 3464) of failures and of deliveries: written and read."""

from __future__ import annotations

import re
from email import policy
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from typing import Literal

import msgspec

from cluster.protocols.mime.address import domain_of, for_the_wire
from cluster.protocols.mime.compose import TRACE_HEADER
from cluster.protocols.mime.headers import address_value, date_value, fields, one_line, text_value
from cluster.protocols.mime.mime import clean, octets_of, parse, raw_header, tried
from cluster.protocols.mime.threads import message_ids

_WORDS = {"failed": ("Undelivered", "could not be delivered"), "delivered": ("Delivered", "was delivered")}
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
MAX_RECIPIENTS = 1_000
"""Recipients of a report that are read."""
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)


class Failure(msgspec.Struct, frozen=True):
    """A report about a mail that could not be delivered."""

    status: str
    """RFC 3463: `5.1.1`; empty if the report has none."""
    text: str
    """The text of the host that refused the mail, or of the one that gave up."""
    message_id: str
    """Of the mail, with its < and >; empty if the report does not show it."""


class Report(msgspec.Struct, frozen=True):
    """The contents of a report that is written here."""

    reporter: str
    """Domain of the reporting host."""
    return_path: str
    """The receiver of the report: the sender of the mail."""
    recipient: str
    """The recipient of the mail."""
    status: str
    text: str
    headers: bytes
    """Of the mail."""
    message_id: str
    """Of the report."""
    date_utc_s: float
    boundary: str
    """A word that does not occur in a mail."""
    trace_id: str = ""
    action: Literal["failed", "delivered"] = "failed"
    envelope_id: str = ""
    original_recipient: str = ""
    """As the sender gave it with the mail (RFC 3461 section 4.2): `rfc822;friar@abbey.example`."""


def is_report(mail: Message) -> bool:
    """Whether the mail is a delivery status notification."""
    kind = tried(lambda: mail.get_param("report-type"), None)
    return mail.get_content_type() == "multipart/report" and str(kind).lower() == "delivery-status"


def read_failure(data: bytes) -> Failure | None:
    """The reported failure; None for other mails, and for a report without failure (RFC 3464 section 2.3.3)."""
    mail = parse(data)
    failed = _block(mail, "failed")
    if failed is None:
        return None
    status = _STATUS.search(raw_header(failed, "Status"))
    diagnosis = raw_header(failed, "Diagnostic-Code").partition(";")[2].strip()
    returned = (message_ids(raw_header(part, "Message-ID")) for part in _returned(mail))
    return Failure(
        status=status.group() if status else "",
        text=clean(diagnosis or raw_header(failed, "Status"))[:500],
        message_id=next((ids[0] for ids in returned if ids), ""),
    )


def tells_delivery(data: bytes) -> bool:
    """Whether the mail is a report of a delivery."""
    return _block(parse(data), "delivered") is not None


def _block(mail: Message, action: str) -> Message | None:
    """The report's fields for the first recipient with this action; None if there is no such recipient, or no
    report."""
    if not is_report(mail):
        return None
    parts = (part for part in mail.walk() if part.get_content_type() in _STATUS_TYPES)
    blocks = (block for part in parts for block in _blocks(part))
    return next((block for block in blocks if raw_header(block, "Action").lower() == action), None)


def _blocks(status: Message) -> list[Message]:
    """The groups of fields for each recipient, in one part.

    The library splits `message/delivery-status` only; it takes `message/global-delivery-status`, which may be encoded
    too (RFC 6533 section 4), for a mail.
    """
    if status.get_content_type() == "message/delivery-status":
        return list(status.walk())
    inner = status.get_payload()
    octets = tried(inner[0].as_bytes, b"") if isinstance(inner, list) and isinstance(inner[0], Message) else b""
    content = Message()
    content["Content-Transfer-Encoding"] = raw_header(status, "Content-Transfer-Encoding")
    content.set_payload(octets.lstrip().decode("ascii", "surrogateescape"))
    blocks = re.split(rb"\r?\n(?:[ \t]*\r?\n)+", octets_of(content).strip())
    return [parse(block) for block in blocks[:MAX_RECIPIENTS]]


def _returned(mail: Message) -> list[Message]:
    """The part of a report that has the mail itself or its headers, as a text."""
    found = []
    for part in mail.walk():
        if part.get_content_type() in ("message/rfc822", "message/global"):
            found += [child for child in part.get_payload() if isinstance(child, Message)]
        elif part.get_content_type() in ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers"):
            found.append(parse(octets_of(part)))
    return found


def compose_report(report: Report) -> bytes:
    """The report as a mail (RFC 3464 section 2). Its return path has to be empty."""
    pairs = [
        ("From", f"Mail Delivery System <postmaster@{_ascii_domain(report.reporter)}>"),
        ("To", address_value(report.return_path)),
        ("Subject", text_value(f"{_WORDS[report.action][0]}: your mail to {report.recipient}", "Subject")),
        ("Date", date_value(report.date_utc_s)),
        ("Message-ID", report.message_id),
        ("Auto-Submitted", "auto-replied"),  # RFC 3834 section 5
    ]
    if report.trace_id:
        pairs.append((TRACE_HEADER, report.trace_id))
    return fields(pairs) + _parts(report).as_bytes(policy=policy.compat32.clone(linesep="\r\n"))


def _parts(report: Report) -> Message:
    """With the library's older classes: the newer ones cannot write message/delivery-status. All of it is ASCII."""
    told = f"Your mail to {report.recipient} {_WORDS[report.action][1]}:\n\n{clean(report.text)}\n"
    whole, recipient = Message(), Message()
    whole["Reporting-MTA"] = f"dns; {_ascii_domain(report.reporter)}"
    if report.envelope_id:
        whole["Original-Envelope-Id"] = report.envelope_id
    if report.original_recipient:
        recipient["Original-Recipient"] = report.original_recipient
    wire = for_the_wire(report.recipient)
    recipient["Final-Recipient"] = f"rfc822; {wire}" if wire.isascii() else f"utf-8; {_xtext(wire)}"
    recipient["Action"] = report.action
    recipient["Status"] = report.status
    recipient["Diagnostic-Code"] = "x-xmpp; " + one_line(report.text).encode("ascii", "replace").decode()
    status = MIMENonMultipart("message", "delivery-status")
    status.set_payload([whole, recipient])
    headers = MIMENonMultipart("text", "rfc822-headers")
    headers.set_payload(report.headers.replace(b"\r\n", b"\n").decode("ascii", "replace").replace("\ufffd", "?"))
    parts = [MIMEText(told, "plain", "utf-8"), status, headers]
    return MIMEMultipart("report", report.boundary, parts, report_type="delivery-status")


def _ascii_domain(domain: str) -> str:
    return domain_of(for_the_wire(f"postmaster@{domain}"))


def _xtext(address: str) -> str:
    """RFC 6533 section 3: for a report that is ASCII."""
    return "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in address)
