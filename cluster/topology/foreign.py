"""The lower half of the RFC's figure in the topology file: components, gateways, and the networks behind them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from cluster.topology.section import AccountJid, Domain, NodeName, OrEmpty, Section

_NUMBER = r"^\+?[0-9]{2,20}$"


def _number(text: str) -> str:
    if not re.fullmatch(_NUMBER, text):
        raise ValueError(f"{text!r} is no phone number; write it like '+393331234567', in quotes")
    return text


PhoneNumber = Annotated[str, AfterValidator(_number), WithJsonSchema({"type": "string", "pattern": _NUMBER})]


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
    number: PhoneNumber = "2345"
    """Only for `sms`: the short code that phones see and write to."""
    mail_for: Annotated[list[Domain], OrEmpty(list)] = []
    """Only for `mail`: further domains of the lab whose accounts get mail by their JIDs, beside the server's own."""
    aliases: Annotated[dict[AccountJid, AccountJid], OrEmpty(dict)] = {}
    """Only for `mail`: further mail addresses, and whose they are: `nurse@verona.example: juliet@capulet.lit`."""
    secret: Annotated[str, Field(min_length=1)] = "secret"
    """What it proves itself to the server with."""


class External(Section):
    """A real system in place of the lab's own."""

    host: Annotated[str, Field(min_length=1)]
    """Its address or name."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Its TCP port."""
    user: str = ""
    """Whom to log in as: the system_id of a message centre, the user name of a mail host; empty: no login."""
    password: str = ""
    """The password of that login."""
    starttls: bool = False
    """Only for a mail host: encrypt, and refuse to go on where that fails."""


class Network(Section):
    """A foreign network: the lab runs one that speaks its real protocol, unless `external` names another."""

    kind: Literal["smsc", "mailhost"]
    """`smsc`: a message centre for SMS, with phones; `mailhost`: a mail server, with mailboxes."""
    phones: Annotated[dict[NodeName, PhoneNumber], OrEmpty(dict)] = {}
    """Only for `smsc`: the numbers of its phones by their names in the lab, such as `fc1: '+393331234567'`."""
    mailboxes: Annotated[dict[NodeName, AccountJid], OrEmpty(dict)] = {}
    """Only for `mailhost`: the mailboxes by their names in the lab, such as `fc2: friar@abbey.example`."""
    external: External | None = None
    """A real system to use instead; then the lab runs none, and knows no phones or mailboxes."""
