"""The topology file as people write it. What stands here is the whole language: the JSON Schema that editors use
and the key tables of docs/topology.md are generated from it (schema.py)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from cluster.kinds.base.values import AccountJid, Domain, Name, NodeName, XmlText
from cluster.store.limits import DEFAULTS
from cluster.topology.foreign import AnyGateway, AnyNetwork, Component
from cluster.topology.hosting import Hosting
from cluster.topology.links import Link
from cluster.topology.scale import MAX_NODES
from cluster.topology.strict import OrEmpty, Section
from cluster.trace.hop import MAX_JOURNAL_BYTES
from cluster.xmpp.streams.sasl import check_password
from cluster.xmpp.streams.stream_options import TlsMode


def _password(text: str) -> str:
    try:
        check_password(text)
    except ValueError as error:
        raise ValueError(f"{error}; choose another") from None
    return text


Password = Annotated[str, Field(min_length=1), AfterValidator(_password)]
"""That SCRAM can make keys of."""


class ServerSettings(Section):
    """What servers have in common. A server's own key wins over `defaults`, and that over the default given here."""

    tls: TlsMode = "required"
    """Encryption of client connections (STARTTLS with a certificate of the lab's CA): `required` before login,
    `optional`, or `off`. With `off`, passwords may be sent in the clear."""
    registration: Literal["open", "closed"] = "closed"
    """Whether clients may create accounts themselves (in-band registration, XEP-0077)."""
    registrations_per_minute: Annotated[int, Field(ge=0)] = 6000
    """How many accounts clients may try to create in a minute from one address; 0: any number. The default is about
    as many as one core can derive keys for."""
    strict: bool = False
    """Whether what old clients do amiss is refused: an iq without an id, a stream `from` that is not who logs in. To
    test clients; otherwise it is accepted, as other servers do, and noted in the trace."""
    anonymous: bool = False
    """Whether clients may log in without an account (SASL ANONYMOUS, XEP-0175): as an address that goes with them."""
    admin: AccountJid | None = None
    """Account of whoever runs the server; clients are told when they ask (XEP-0157). Without it they are told of
    nobody."""
    offline_messages: Annotated[int, Field(ge=0)] = DEFAULTS.offline.count
    """How many messages wait for an account while nobody is there (XEP-0160); further ones come back to their senders.
    0: none waits."""
    offline_bytes: Annotated[int, Field(ge=0)] = DEFAULTS.offline.size_bytes
    """How many bytes of messages wait for an account; further ones come back to their senders."""
    offline_total_bytes: Annotated[int, Field(ge=0)] = DEFAULTS.offline_total_bytes
    """How many bytes of messages wait for all accounts of the domain together; further ones come back to their
    senders."""
    roster_bytes: Annotated[int, Field(ge=0)] = DEFAULTS.roster.size_bytes
    """How many bytes an account's contacts have together, with their names and groups."""
    archive_bytes: Annotated[int, Field(ge=0)] = DEFAULTS.archive.size_bytes
    """How many bytes of messages an account's archive keeps (XEP-0313); beyond it, the oldest are forgotten."""
    private_bytes: Annotated[int, Field(ge=0)] = DEFAULTS.private.size_bytes
    """How many bytes of private XML (XEP-0049) an account keeps, together with its vCard and its lists."""
    pubsub_bytes: Annotated[int, Field(ge=0)] = DEFAULTS.pubsub.size_bytes
    """How many bytes of items the nodes of an account keep together (XEP-0163): avatars, bookmarks, keys."""
    modules: list[str] | None = None
    """Which server modules to load, by the names of their files; `[]` for none. Without this key, or with nothing
    behind it: all but `legacy_auth`."""
    c2s_port: Annotated[int, Field(ge=1, le=65535)] = 5222
    """TCP port for clients. Every server has a loopback address of its own, so all can use the same one."""
    direct_tls_port: Annotated[int, Field(ge=1, le=65535)] = 5223
    """TCP port for clients that begin with TLS at once (XEP-0368). With `tls: off` nobody listens there."""
    http_port: Annotated[int, Field(ge=1, le=65535)] = 5281
    """TCP port for clients on the web: WebSockets (RFC 7395) and where they are found (XEP-0156), under TLS; with
    `tls: off` without."""

    s2s_port: Annotated[int, Field(ge=1, le=65535)] = 5269
    """TCP port for the servers of other domains (RFC 6120). Only where a link has `transport: s2s` somebody listens
    there."""


class Server(Hosting, ServerSettings):
    """One XMPP server, which serves one domain."""

    domain: Domain
    """The domain it serves: what stands behind the '@' of its accounts. No DNS entry is needed."""
    nodes: Annotated[int, Field(ge=1, le=MAX_NODES)] = 1
    """How many processes serve the domain together. Clients may connect to any of them: the second node of `s1` is
    `s1-2`. `xmpplab scale` changes the number while the lab runs."""


def _long_form(value: object) -> object:
    return {"jid": value} if isinstance(value, str) else value


class Contact(Section):
    """A contact in its long form; the short form is the address alone."""

    jid: AccountJid
    """Address of the contact, which is an account of this file."""
    name: XmlText = ""
    """What the account calls the contact in its roster."""
    groups: Annotated[list[Annotated[XmlText, Field(min_length=1)]], OrEmpty(list)] = []
    """Roster groups in which the account keeps the contact."""


ContactEntry = Annotated[Contact, BeforeValidator(_long_form, json_schema_input_type=str | Contact)]


class Account(Section):
    """An account that exists from the start, with its roster."""

    password: Password = "secret"
    """What its clients log in with."""
    contacts: Annotated[list[ContactEntry], OrEmpty(list)] = []
    """Accounts of this file, subscribed to this one's presence and the other way round from the start: writing one
    side is enough. Each is an address, or `{jid, name, groups}` to name it or put it into groups on this side."""


class Trace(Section):
    """What the lab records on the way of the stanzas."""

    sample_every: Annotated[int, Field(ge=0)] = 1000
    """Record the hops of one stanza in so many; 1 for all, 0 for none but the probes of `xmpplab trace`."""
    probes_per_minute: Annotated[int, Field(ge=0)] = 600
    """How many probes an account may send in a minute, whose hops are all recorded; further ones are ordinary
    messages. 0: any number."""
    journal_bytes: Annotated[int, Field(ge=1_048_576)] = MAX_JOURNAL_BYTES
    """How many bytes of hops each node keeps in the journal; beyond it, the oldest are forgotten."""


class Router(Section):
    """What carries stanzas from one domain to another."""

    max_backlog: Annotated[int, Field(ge=1)] = 100_000
    """How many batches of stanzas may wait for a server that does not read them, of no more than 256 MiB; beyond it,
    senders get the error remote-server-timeout."""

    seed: Annotated[int, Field(ge=0)] = 0
    """Of the randomness of the link faults: with the same seed, the same stanzas meet the same faults."""


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
    gateways: Annotated[dict[NodeName, AnyGateway], OrEmpty(dict)] = {}
    """Gateways to foreign networks by their names, such as `g1`."""
    networks: Annotated[dict[NodeName, AnyNetwork], OrEmpty(dict)] = {}
    """The foreign networks behind the gateways by their names, such as `fn1`."""
    components: Annotated[dict[Domain, Component], OrEmpty(dict)] = {}
    """Programs of your own that connect as components, by their domains, such as `dict.montague.lit`."""
    trace: Annotated[Trace, OrEmpty(dict)] = Trace()
    """What is recorded of the stanzas."""
    router: Annotated[Router, OrEmpty(dict)] = Router()
    """How the router between the domains behaves."""
    links: Annotated[list[Link], OrEmpty(list)] = []  # type: ignore[valid-type]
    """The links between the servers and what is wrong with them, such as `{between: [s1, s2], delay: 40ms}`."""
    mesh: bool = True
    """Whether every two servers are joined by a link. With `false` only those are that an entry of `links` names, which
    needs no fault then; what is for another domain comes back with remote-server-not-found."""
