"""The topology file as people write it. This is the whole language: the JSON Schema for editors and the key tables of
docs/topology.md are generated from it (schema.py)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from cluster.kinds.base.values import AccountJid, Domain, Name, NodeName, XmlText
from cluster.topology.foreign import AnyGateway, AnyNetwork, Component
from cluster.topology.links import Link
from cluster.topology.population import Population
from cluster.topology.servers import AnyServer, ServerSettings
from cluster.topology.strict import OrEmpty, Section
from cluster.trace.hop import MAX_JOURNAL_BYTES
from cluster.xmpp import passwords


def _password(text: str) -> str:
    try:
        passwords.check(text)
    except ValueError as error:
        raise ValueError(f"{error}; choose another") from None
    return text


Password = Annotated[str, Field(min_length=1), AfterValidator(_password)]
"""A password from which SCRAM can derive keys."""


def _long_form(value: object) -> object:
    return {"jid": value} if isinstance(value, str) else value


class Contact(Section):
    """A contact in its long form; the short form is the address alone."""

    jid: AccountJid
    """Address of the contact, which is an account of this file."""
    name: XmlText = ""
    """The name of the contact in the account's roster."""
    groups: Annotated[list[Annotated[XmlText, Field(min_length=1)]], OrEmpty(list)] = []
    """Roster groups of the contact."""


ContactEntry = Annotated[Contact, BeforeValidator(_long_form, json_schema_input_type=str | Contact)]


class Account(Section):
    """An account that exists from the start, with its roster."""

    password: Password = "secret"
    """The password for its clients."""
    contacts: Annotated[list[ContactEntry], OrEmpty(list)] = []
    """Accounts of this file, with mutual subscriptions from the start: writing one side is enough. Each is an address,
    or `{jid, name, groups}` to give it a name and groups on this side."""


class Trace(Section):
    """What the lab records of stanzas."""

    sample_every: Annotated[int, Field(ge=0)] = 1000
    """Record the hops of one stanza in this number; 1 for all, 0 for none but the probes of `xmpplab trace`."""
    probes_per_minute: Annotated[int, Field(ge=0)] = 600
    """How many probes an account may send per minute, whose hops are all recorded; further ones are ordinary messages.
    0: any number."""
    journal_bytes: Annotated[int, Field(ge=1_048_576)] = MAX_JOURNAL_BYTES
    """How many bytes of hops each node may have in the journal; beyond it, the oldest are removed."""


class Router(Section):
    """The router, which carries stanzas from one domain to another."""

    max_backlog: Annotated[int, Field(ge=1)] = 100_000
    """How many batches of stanzas may wait for a server that does not read them, of at most 256 MiB; beyond it, senders
    get the error remote-server-timeout."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the random numbers of link faults: with the same seed, the same stanzas meet the same faults."""


class Topology(Section):
    """A lab: XMPP servers for several domains, and the accounts on them."""

    name: Name
    """Name of the lab; its state is kept in the folder `.xmpplab/<name>`."""
    servers: Annotated[dict[NodeName, AnyServer], Field(min_length=1)]
    """The servers by their names, such as `s1`."""
    defaults: Annotated[ServerSettings, OrEmpty(dict)] = ServerSettings()  # type: ignore[valid-type]
    """Settings for all servers that do not give their own."""
    accounts: Annotated[dict[AccountJid, Annotated[Account, OrEmpty(dict)]], OrEmpty(dict)] = {}
    """The accounts that exist from the start, by their addresses, such as `romeo@montague.lit`."""
    gateways: Annotated[dict[NodeName, AnyGateway], OrEmpty(dict)] = {}
    """Gateways to foreign networks by their names, such as `g1`."""
    networks: Annotated[dict[NodeName, AnyNetwork], OrEmpty(dict)] = {}
    """The foreign networks behind the gateways by their names, such as `fn1`."""
    components: Annotated[dict[Domain, Component], OrEmpty(dict)] = {}
    """Programs of your own that connect as components, by their domains, such as `dict.montague.lit`."""
    trace: Annotated[Trace, OrEmpty(dict)] = Trace()
    """What is recorded of stanzas."""
    router: Annotated[Router, OrEmpty(dict)] = Router()
    """The router between the domains."""
    links: Annotated[list[Link], OrEmpty(list)] = []  # type: ignore[valid-type]
    """The links between the servers and their faults, such as `{between: [s1, s2], delay: 40ms}`."""
    processes: Annotated[int, Field(ge=1)] | None = None
    """How many processes the servers of kind `xmpplab` share; `xmpplab up --processes` wins. Without it: one for each
    server up to 16 servers, above that as many as the machine has cores. In containers each has its own."""
    mesh: bool = True
    """Whether links join every two servers. With `false` they join only the servers that an entry of `links` names,
    with or without faults; a stanza to any other domain returns with remote-server-not-found."""
    population: Annotated[Population, OrEmpty(dict)] = Population()
    """The people of `xmpplab simulate`."""
    resolver: Literal["lab", "system"] = "lab"
    """Where servers of kind `xmpplab` look for other domains: in this file (`lab`), or, if a domain is not there, in
    the DNS of this machine (`system`, RFC 6120 section 3.2). With `lab` nothing outside is asked."""
