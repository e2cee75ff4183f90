"""The arguments of MAIL and RCPT: a path and parameters (RFC 5321 section 4.1.2, RFC 1870, RFC 3461)."""

from __future__ import annotations

import re

from cluster.protocols.mime.address import BadAddress, normal
from cluster.protocols.smtp.receiver import Receiver, Refused

_PATH = re.compile(r"\s*(FROM|TO):\s*(?:<(?:@[^:>]*:)?([^>]*)>|([^<>\s]+))((?:\s+\S+)*)\s*", re.IGNORECASE)
_XTEXT = re.compile(r"[!-*,-<>-~+]{1,100}", re.ASCII)
_ORIGINAL = re.compile(r"[A-Za-z0-9-]+;[!-~]{1,500}", re.ASCII)


def parse(keyword: str, rest: bytes) -> tuple[str, dict[str, str]]:
    """Parse path and parameters of MAIL and RCPT; a source route is dropped (RFC 5321 appendix C). Raises Refused."""
    try:
        found = _PATH.fullmatch(rest.decode())
    except UnicodeDecodeError:
        raise Refused(553, "5.1.3 an address is ASCII or UTF-8") from None
    if found is None or found.group(1).upper() != keyword:
        raise Refused(501, f"5.5.4 write it as {keyword}:<address>")
    parameters = (word.partition("=") for word in found.group(4).split())
    return found.group(2) or found.group(3) or "", {name.upper(): value for name, _, value in parameters}


def address_of(path: str, domain: str) -> str:
    """The normal address of a path; `domain` is that of the host. Raises Refused."""
    if path.lower() == "postmaster":  # section 4.1.1.3: the address without a domain
        path = f"{path}@{domain}"
    try:
        return normal(path)
    except BadAddress as error:
        raise Refused(553, f"5.1.3 {error}") from None


def check_mail(parameters: dict[str, str], receiver: Receiver) -> None:
    """Check the parameters of MAIL. Raises Refused."""
    for name, value in parameters.items():
        if name == "SIZE" and value.isdecimal():  # RFC 1870
            if int(value[:20]) > receiver.max_bytes:
                raise Refused(552, f"5.3.4 too big: at most {receiver.max_bytes} bytes")
        elif name in ("RET", "ENVID") and receiver.reports_delivery:  # RFC 3461 sections 4.3 and 4.4
            if not (value.upper() in ("FULL", "HDRS") if name == "RET" else _XTEXT.fullmatch(value)):
                raise Refused(501, f"5.5.4 {name} cannot be {value or 'empty'}")
        elif (name, value.upper()) not in (("BODY", "7BIT"), ("BODY", "8BITMIME"), ("SMTPUTF8", "")):
            raise Refused(555, f"5.5.4 unknown parameter {name}")


def check_recipient(parameters: dict[str, str], receiver: Receiver) -> set[str]:
    """Check the parameters of RCPT: the requested reports (RFC 3461 sections 4.1 and 4.2)."""
    known = ("NOTIFY", "ORCPT") if receiver.reports_delivery else ()
    for name in parameters:
        if name not in known:
            raise Refused(555, f"5.5.4 unknown parameter {name}")
    wants = set(parameters["NOTIFY"].upper().split(",")) if "NOTIFY" in parameters else set()
    if wants - {"SUCCESS", "FAILURE", "DELAY"} and wants != {"NEVER"}:
        raise Refused(501, "5.5.4 NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY")
    if "ORCPT" in parameters and not _ORIGINAL.fullmatch(parameters["ORCPT"]):
        raise Refused(501, "5.5.4 write it as ORCPT=rfc822;address")
    return wants
