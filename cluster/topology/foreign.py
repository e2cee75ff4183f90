"""The lower half of the RFC's figure in the topology file: components, gateways, and the networks behind them."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal

import idna
from pydantic import AfterValidator, Field, WithJsonSchema

from cluster.topology.section import AccountJid, Domain, NodeName, OrEmpty, Section

_NUMBER = r"^\+[1-9][0-9]{6,14}$"
"""ITU-T E.164: country code and number, together at most 15 digits."""
_SENDER = r"^(\+[1-9][0-9]{6,14}|[0-9]{2,20})$"
"""A short code too; an SMPP address has at most 20 digits (SMPP 3.4 section 5.2.8)."""
_ATOM = r"[^\s@()\[\];\\,.]+"
_MAIL_LOCALPART = re.compile(rf"{_ATOM}(\.{_ATOM})*")
"""A dot-atom (RFC 5321 section 4.1.2), as far as a localpart of RFC 7622 can have what no dot-atom has."""
_MAX_ADDRESS_BYTES = 254
"""RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, with its < and >."""


def _number(text: str) -> str:
    if not re.fullmatch(_NUMBER, text):
        raise ValueError(f"{text!r} is not a phone number; write it with its country code, like '+393331234567'")
    return text


def _sender(text: str) -> str:
    if not re.fullmatch(_SENDER, text):
        rule = "write a short code of 2 to 20 digits, like '2345', or a number like '+393331234567'"
        raise ValueError(f"{text!r} is not a number that phones can write to; {rule}")
    return text


def _mail_address(text: str) -> str:
    localpart = text.rpartition("@")[0]
    if not localpart.isprintable() or not _MAIL_LOCALPART.fullmatch(localpart):
        raise ValueError(f"{text!r} is not a mail address; write it like friar@abbey.example")
    if len(text.encode()) > _MAX_ADDRESS_BYTES:
        raise ValueError(f"this mail address is longer than {_MAX_ADDRESS_BYTES} bytes; write a shorter one")
    return text


def _mailbox(text: str) -> str:
    if "+" in text:
        raise ValueError(f"{text!r} has a tag ('+' and what follows), which is not part of a mailbox; delete it")
    return _mail_address(text)


def _host(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        try:
            idna.encode(text.replace("_", "x"), uts46=True)  # names of containers often have one
        except (idna.IDNAError, UnicodeError):
            raise ValueError(f"{text!r} is neither a host name nor an IP address; write one of the two") from None
    return text


PhoneNumber = Annotated[str, AfterValidator(_number), WithJsonSchema({"type": "string", "pattern": _NUMBER})]
SenderNumber = Annotated[str, AfterValidator(_sender), WithJsonSchema({"type": "string", "pattern": _SENDER})]
MailAddress = Annotated[AccountJid, AfterValidator(_mail_address)]
MailboxAddress = Annotated[AccountJid, AfterValidator(_mailbox)]


class Component(Section):
    """A program of your own that connects to a server as an external component (XEP-0114)."""

    server: NodeName
    """The server that lets it in."""
    secret: Annotated[str, Field(min_length=1)] = "secret"
    """What it proves itself with."""


class Gateway(Section):
    """A gateway: a component that translates between XMPP and a foreign network."""

    kind: Literal["sms", "mail"]
    """What it translates to: `sms` speaks SMPP to a message centre, `mail` speaks SMTP to a mail host."""
    domain: Domain
    """Its own domain, below that of its server, such as `sms.montague.lit`: addresses over there are its accounts."""
    server: NodeName
    """The server that it is a component of."""
    network: NodeName
    """The foreign network behind it, one of `networks`."""
    number: SenderNumber = "2345"
    """Only for `sms`: the short code that phones see and write to."""
    mail_for: Annotated[list[Domain], OrEmpty(list)] = []
    """Only for `mail`: further domains of the lab whose accounts get mail by their JIDs, beside the server's own."""
    aliases: Annotated[dict[MailAddress, AccountJid], OrEmpty(dict)] = {}
    """Only for `mail`: further mail addresses, and whose they are: `nurse@verona.example: juliet@capulet.lit`."""
    secret: Annotated[str, Field(min_length=1)] = "secret"
    """What it proves itself to the server with."""


class External(Section):
    """A real system in place of the lab's own."""

    host: Annotated[str, Field(min_length=1), AfterValidator(_host)]
    """Its address or name."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Its TCP port."""
    user: str = ""
    """Whom to log in as: the system_id of a message centre, of at most 15 characters, or the user name of a mail host;
    empty: no login."""
    password: str = ""
    """The password of that login; at a message centre it has at most 8 characters (SMPP 3.4 section 5.2.2)."""
    starttls: bool = False
    """Only for a mail host: encrypt, and refuse to go on where that fails."""


class Network(Section):
    """A foreign network: the lab runs one that speaks its real protocol, unless `external` names another."""

    kind: Literal["smsc", "mailhost"]
    """`smsc`: a message centre for SMS, with phones; `mailhost`: a mail server, with mailboxes."""
    phones: Annotated[dict[NodeName, PhoneNumber], OrEmpty(dict)] = {}
    """Only for `smsc`: the numbers of its phones by their names in the lab, such as `fc1: '+393331234567'`."""
    mailboxes: Annotated[dict[NodeName, MailboxAddress], OrEmpty(dict)] = {}
    """Only for `mailhost`: the mailboxes by their names in the lab, such as `fc2: friar@abbey.example`."""
    external: External | None = None
    """A real system to use instead; then the lab runs none, and knows no phones or mailboxes."""
