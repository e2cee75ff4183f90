"""The topology file as people write it. What stands here is the whole language: the JSON Schema that editors use
and the key tables of docs/topology.md are generated from it (schema.py)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from cluster.topology.plan import TlsMode
from cluster.xmpp.jid import Jid

RESERVED_NAMES = frozenset({"router", "redis", "supervisor", "ca"})
"""Lab nodes and files that are there without being written."""

_NAME = r"^[a-z][a-z0-9-]{0,62}$"
"""Fits a folder, a log line and a DNS label."""


def _name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        rule = "lowercase letters, digits and '-', a letter first, at most 63"
        raise ValueError(f"{text!r} is no name; allowed: {rule}")
    return text


def _node_name(text: str) -> str:
    if text in RESERVED_NAMES:
        raise ValueError(f"{text!r} is a part of every lab; give the server another name")
    return _name(text)


def _domain(text: str) -> str:
    jid = Jid.parse(text)
    if jid.localpart or jid.resourcepart:
        raise ValueError(f"{text!r} is no domain; write only what stands behind the '@', such as montague.lit")
    return jid.domainpart


def _account_jid(text: str) -> str:
    jid = Jid.parse(text)
    if not jid.localpart or jid.resourcepart:
        raise ValueError(f"{text!r} is no account; write localpart@domain, such as romeo@montague.lit")
    return str(jid)


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": _NAME})]
NodeName = Annotated[str, AfterValidator(_node_name), WithJsonSchema({"type": "string", "pattern": _NAME})]
Domain = Annotated[str, AfterValidator(_domain), WithJsonSchema({"type": "string", "pattern": "^[^@/ ]+$"})]
"""Prepared (RFC 7622 section 3.2)."""
AccountJid = Annotated[
    str, AfterValidator(_account_jid), WithJsonSchema({"type": "string", "pattern": "^[^@/ ]+@[^@/ ]+$"})
]
"""A bare address with a localpart, prepared (RFC 7622)."""


@dataclass(frozen=True)
class OrEmpty:
    """A key with nothing behind it holds an empty mapping or list, as in `juliet@capulet.lit:`."""

    empty: Callable[[], object]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: self.empty() if value is None else value, handler(source)
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(core), {"type": "null"}]}


class Section(BaseModel):
    """A mapping of the file: only the keys named here, and no value turned from one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class ServerSettings(Section):
    """What servers have in common. A server's own key wins over `defaults`, and that over the default given here."""

    tls: TlsMode = "required"
    """Encryption of client connections (STARTTLS with a certificate of the lab's CA): `required` before login,
    `optional`, or `off`. With `off`, passwords may be sent in the clear."""
    registration: Literal["open", "closed"] = "closed"
    """Whether clients may create accounts themselves (in-band registration, XEP-0077)."""
    modules: list[str] | None = None
    """Which server modules to load, by the names of their files; `[]` for none. Without this key, or with nothing
    behind it: all of them."""
    c2s_port: Annotated[int, Field(ge=1, le=65535)] = 5222
    """TCP port for clients. Every server has a loopback address of its own, so all can use the same one."""


class Server(ServerSettings):
    """One XMPP server, which serves one domain."""

    domain: Domain
    """The domain it serves: what stands behind the '@' of its accounts. No DNS entry is needed."""


def _long_form(value: object) -> object:
    return {"jid": value} if isinstance(value, str) else value


class Contact(Section):
    """A contact in its long form; the short form is the address alone."""

    jid: AccountJid
    """Address of the contact, which is an account of this file."""
    name: str = ""
    """What the account calls the contact in its roster."""
    groups: Annotated[list[Annotated[str, Field(min_length=1)]], OrEmpty(list)] = []
    """Roster groups in which the account keeps the contact."""


ContactEntry = Annotated[Contact, BeforeValidator(_long_form, json_schema_input_type=str | Contact)]


class Account(Section):
    """An account that exists from the start, with its roster."""

    password: Annotated[str, Field(min_length=1)] = "secret"
    """What its clients log in with."""
    contacts: Annotated[list[ContactEntry], OrEmpty(list)] = []
    """Accounts of this file, subscribed to this one's presence and the other way round from the start: writing one
    side is enough. Each is an address, or `{jid, name, groups}` to name it or put it into groups on this side."""


class Trace(Section):
    """What the lab records on the way of the stanzas."""

    sample_every: Annotated[int, Field(ge=0)] = 1000
    """Record the hops of one stanza in so many; 1 for all, 0 for none but the probes of `xmpplab trace`."""


class Router(Section):
    """What carries stanzas from one domain to another."""

    max_backlog: Annotated[int, Field(ge=1)] = 100_000
    """How many batches of stanzas may wait for a server that does not read them; beyond it, senders get the error
    remote-server-timeout."""


class Topology(Section):
    """A lab: XMPP servers for several domains, and the accounts on them."""

    name: Name
    """Name of the lab; its state is kept in the folder `.xmpplab/<name>`."""
    servers: Annotated[dict[NodeName, Server], Field(min_length=1)]
    """The servers by their names, such as `s1`."""
    defaults: Annotated[ServerSettings, OrEmpty(dict)] = ServerSettings()
    """Settings for all servers that do not give their own."""
    accounts: Annotated[dict[AccountJid, Annotated[Account, OrEmpty(dict)]], OrEmpty(dict)] = {}
    """The accounts that exist from the start, by their addresses, such as `romeo@montague.lit`."""
    trace: Annotated[Trace, OrEmpty(dict)] = Trace()
    """What is recorded of the stanzas."""
    router: Annotated[Router, OrEmpty(dict)] = Router()
    """How the router between the domains behaves."""
