"""Mail addresses (RFC 5321 section 4.1.2, RFC 6531 section 3.3): checked, in their normal form, and for the wire."""

from __future__ import annotations

import re

import idna

from cluster.xmpp.jid import JidError, prepare_domainpart

MAX_BYTES = 254
"""RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, with its < and >."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\U0010ffff]+"
DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\[ -~])*)"')


class BadAddress(ValueError):
    """The text is not a mail address."""


def normal(text: str) -> str:
    """The normal form of an address: the local part in quotes only if it needs them, the domain in Unicode. Raises
    BadAddress.

    Upper case in the local part stays: its meaning is for the address's own host to decide.
    """
    local, at, domain = text.strip().rpartition("@")
    quoted = _QUOTED.fullmatch(local)
    if quoted is not None and DOT_ATOM.fullmatch(quoted.group(1)):
        local, quoted = quoted.group(1), None
    if not at or not local.isprintable() or not (quoted or DOT_ATOM.fullmatch(local)):
        raise BadAddress(f"{text!r} is not a mail address; write it like friar@abbey.example")
    try:
        if domain.startswith("["):
            raise BadAddress(f"{text!r}: a mail address needs the name of a domain")
        address = f"{local}@{prepare_domainpart(domain)}"
    except JidError as error:
        raise BadAddress(f"{text!r} is not a mail address: {error}") from None
    if len(address.encode()) > MAX_BYTES:
        raise BadAddress(f"{text[:40]!r}… is longer than {MAX_BYTES} bytes")
    return address


def local_of(address: str) -> str:
    """The part before the last @."""
    return address.rpartition("@")[0]


def domain_of(address: str) -> str:
    """The part after the last @."""
    return address.rpartition("@")[2]


def for_the_wire(address: str) -> str:
    """A normal address with its domain in ASCII (RFC 5890: A-labels); an empty one, of a null return path, stays
    empty."""
    if not address:
        return ""
    try:
        return f"{local_of(address)}@{idna.encode(domain_of(address), uts46=True).decode()}"
    except idna.IDNAError as error:
        raise BadAddress(f"{address!r} is not a mail address: {error}") from None


def needs_smtputf8(address: str) -> bool:
    """Whether hosts without the extension SMTPUTF8 refuse it (RFC 6531)."""
    return not local_of(address).isascii()
