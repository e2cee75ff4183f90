"""Several domains in one process, joined in memory; clients and time are moved by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from cluster import modules
from cluster.base.turn import Turn
from cluster.membership.memory import MemoryMembership, MemoryNodes
from cluster.router.memory import MemoryNetwork, MemoryRouter
from cluster.router.port import Unsettled
from cluster.server.build import Server, build
from cluster.server.c2s.client_streams import ClientStreams
from cluster.server.components.component_stream import ComponentStreams
from cluster.server.config import Ports, ServerConfig
from cluster.server.context import ServerModule
from cluster.server.credentials import ITERATIONS, DeriveKeys
from cluster.server.domain import Domain
from cluster.server.services.service import Service
from cluster.store.memory import memory_store
from cluster.store.port import Account, RosterItem, ScramKeys, Store
from cluster.trace.hop import Hop, Tracer
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.login import Login
from cluster.xmpp.streams.sasl import HASHES, make_keys
from tests.client import Client, Connection
from tests.told import told

T = TypeVar("T")
MONTAGUE, CAPULET = "montague.lit", "capulet.lit"
ELSINORE = "elsinore.lit"
"""The domain of `Abroad`."""
PASSWORD = "secret"
START_UTC_S = 1_700_000_000.125
"""2023-11-14T22:13:20.125Z: when the clock of every network starts."""


def at_once(coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
    """The result of a coroutine that nobody makes wait."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    assert results, "somebody made the coroutine wait"
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    value: T = result
    return value


@lru_cache
def _keys() -> dict[str, ScramKeys]:
    return {name: ScramKeys(*make_keys(name, PASSWORD, b"salt of the tests", ITERATIONS)) for name in HASHES}


derive_at_once: DeriveKeys = partial(maybeDeferred, make_keys)
"""As `Ports` has it: without a thread."""


class Abroad:
    """A domain that decides nothing: what reaches it is seen as it came, and it sends whatever a test wants."""

    def __init__(self, router: MemoryRouter) -> None:
        self.stanzas: list[Stanza] = []
        self._router = router
        at_once(router.start(self))

    def from_link(self, stanza: Stanza, place: str) -> None:
        self.stanzas.append(stanza)

    def copies_from_link(self, copies: Copies, place: str) -> list[Unsettled]:
        self.stanzas += copies.each()
        return []

    def bounce(self, stanza: Stanza, error: StanzaError) -> None:
        """Nothing that it sends is returned."""

    def take(self) -> list[str]:
        """What it got since it was last asked, and for whom: see `told`."""
        stanzas, self.stanzas = self.stanzas, []
        return [f"{told(stanza.tree)} -> {stanza.to}" for stanza in stanzas]

    def send(self, stanza: Stanza) -> None:
        """Send it over the link to the domain of its `to`, or to that of the server that has it as a service."""
        assert stanza.to is not None
        domain = stanza.to.domainpart
        self._router.link(self._router.network.served_by.get(domain, domain)).send(stanza)


class Life:
    """The clock of one process: when that has been killed, nothing of it happens any more."""

    def __init__(self, clock: Clock) -> None:
        self.is_over = False
        self._clock = clock

    def callLater(self, delay: float, call: Callable[..., object], *args: object) -> Any:
        return self._clock.callLater(delay, self._call, call, args)

    def seconds(self) -> float:
        return float(self._clock.seconds())

    def _call(self, call: Callable[..., object], args: tuple[object, ...]) -> None:
        if not self.is_over:
            call(*args)


@dataclass(frozen=True)
class Running:
    """One server of a network, or one node of it."""

    server: Server
    journal: list[Hop]
    nodes: MemoryNodes
    life: Life

    @property
    def domain(self) -> Domain:
        return self.server.domain

    @property
    def streams(self) -> ClientStreams:
        return self.server.clients

    @property
    def components(self) -> ComponentStreams:
        return self.server.components

    @property
    def store(self) -> Store:
        return self.server.ports.store

    def stop(self) -> None:
        """In an orderly way."""
        at_once(self.server.stop())


def _server_of(component: str, domains: Iterable[str]) -> str:
    """The domain that it is below; of several, the nearest."""
    return max((domain for domain in domains if component.endswith(f".{domain}")), key=len)


def _never() -> None:
    raise AssertionError("a node was fenced")


class Network:
    """Domains, the links between them, and their clients."""

    def __init__(
        self,
        domains: tuple[str, ...] = (MONTAGUE, CAPULET),
        stores: dict[str, Store] | None = None,
        loaded: Sequence[ServerModule] | None = None,
        components: dict[str, str] | None = None,
        services: dict[str, Service] | None = None,
        sample_every: int = 1,
        acknowledge_after_s: float = 0.0,
        **config: Any,
    ) -> None:
        """`components`: their secrets, by domain; each is of the server whose domain it is below, as `services` are.

        `acknowledge_after_s`: see `MemoryNetwork`; `config`: what else a `ServerConfig` has.
        """
        self.clock = Clock()
        self.wall_clock_set_by_s = 0.0
        numbers = itertools.count(1)
        self._new_id = lambda: f"id{next(numbers)}"
        self.new_salt = lambda: b"salt of the domain"
        self.derive = derive_at_once
        self._secrets, self._services = components or {}, services or {}
        self._served_by = {below: _server_of(below, domains) for below in (*self._secrets, *self._services)}
        self.links = MemoryNetwork(
            self.clock, (*domains, ELSINORE), served_by=self._served_by, acknowledge_after_s=acknowledge_after_s
        )
        loaded = modules.load(modules.defaults()) if loaded is None else loaded
        self._config = ServerConfig("", tuple(loaded), served_by=self._served_by, **config)
        self._sample_every = sample_every
        self.connections: list[Connection] = []
        stores = stores or {}
        self._memberships = {name: MemoryMembership(self.clock) for name in domains}
        self.servers: dict[str, Running] = {}
        for name in domains:
            self.servers[name] = self._serve(name, stores.get(name) or memory_store())
        self.abroad = Abroad(self.links.router(ELSINORE, self._tracer(ELSINORE, [])))

    def add_node(self, node: str, domain: str = MONTAGUE) -> None:
        """A further node of the domain; its clients log in `at` it."""
        self.servers[node] = self._serve(domain, self.servers[domain].store, node)

    def crash(self, node: str) -> None:
        """Let it do nothing any more: its clients lose their connections, and the other nodes miss it after a while."""
        crashed = self.servers[node]
        crashed.nodes.membership.crash(crashed.nodes)
        crashed.life.is_over = True
        name = crashed.domain.name
        if self.links.readers[name] is crashed.server.ports.router:
            heir = next(each for each in self.servers.values() if each.domain.name == name and not each.life.is_over)
            at_once(heir.server.routing.start())

    def _serve(self, name: str, store: Store, node: str = "") -> Running:
        journal: list[Hop] = []
        nodes, life = MemoryNodes(self._memberships[name], node or name), Life(self.clock)
        tracer = self._tracer(name, journal)
        server = build(
            self._config_of(name, node),
            Ports(
                life, self._now_utc_s, Turn(life), self._new_id, self.new_salt, lambda *what: self.derive(*what),
                store=store, router=self.links.router(name, tracer), nodes=nodes, tracer=tracer, fenced=_never,
            ),
        )  # fmt: skip
        at_once(server.start())
        return Running(server, journal, nodes, life)

    def _config_of(self, name: str, node: str) -> ServerConfig:
        """Components are at the first node, which has the name of its domain."""
        below = [each for each, server in self._served_by.items() if server == name]
        components = {each: self._secrets[each] for each in below if each in self._secrets}
        services = {each: self._services[each] for each in below if each in self._services}
        if node not in ("", name):
            at_first = dict.fromkeys(components, name)
            return replace(self._config, domain=name, components_at=at_first, services=services)
        return replace(self._config, domain=name, components=components, services=services)

    def _now_utc_s(self) -> float:
        return START_UTC_S + self.clock.seconds() + self.wall_clock_set_by_s

    def kill(self, domain: str) -> None:
        """The server of a domain ends as by SIGKILL: only what it has stored is left, and what waits in its links."""
        server = self.servers[domain]
        server.life.is_over = server.nodes.is_silent = True
        at_once(server.server.ports.router.stop())
        for connection in self.connections:
            if connection.streams in (server.streams, server.components):
                connection.is_closed = True

    def start(self, domain: str) -> None:
        """Start a server anew, which has stopped or was killed."""
        self.servers[domain] = self._serve(domain, self.servers[domain].store)
        self.settle()

    def restart(self, domain: str) -> None:
        """Stop and start a server in an orderly way."""
        server = self.servers[domain]
        server.stop()
        self.settle()
        server.life.is_over = True
        self.start(domain)

    def _tracer(self, name: str, journal: list[Hop]) -> Tracer:
        return Tracer(name, journal, lambda: 0, self._new_id, self._sample_every, self.clock)

    # --- accounts

    def account(self, jid: str) -> Jid:
        """Make the account unless it exists; its password is PASSWORD."""
        bare = Jid.parse(jid).bare
        at_once(self.servers[bare.domainpart].store.accounts.create(Account(bare.localpart, _keys())))
        return bare

    def contact(self, owner: str, contact: str, **fields: Any) -> RosterItem:
        """Put a contact in the stored roster of an account, which nobody uses yet."""
        account = self.account(owner)
        item = RosterItem(Jid.parse(contact), **{"listed": True, **fields})
        at_once(self.servers[account.domainpart].store.rosters.put(account.localpart, item))
        return item

    def friends(self, one: str, other: str) -> None:
        """Two accounts that see each other."""
        self.contact(one, other, subscription="both")
        self.contact(other, one, subscription="both")

    def item(self, owner: str, contact: str) -> RosterItem | None:
        """The stored contact."""
        account = Jid.parse(owner)
        return at_once(self.servers[account.domainpart].store.rosters.load(account.localpart)).get(Jid.parse(contact))

    # --- clients

    def connect(self, domain: str = MONTAGUE) -> Connection:
        """A connection that says nothing yet."""
        connection = Connection(self.servers[domain].streams)
        self.connections.append(connection)
        return connection

    def add(self, connection: Connection) -> None:
        """Move this one's bytes too: a component's."""
        self.connections.append(connection)

    def login(self, jid: str, *, password: str = PASSWORD, register: bool = False, at: str = "") -> Client:
        """A client of an existing account; where it is refused, its `failed` says why. `at`: a further node."""
        login = Login(Jid.parse(jid), password, register)
        client = Client(self.servers[at or login.jid.domainpart].streams, login, self._new_id)
        self.connections.append(client)
        self.settle()
        return client

    def client(self, jid: str, *, at: str = "") -> Client:
        """A bound client, not available, whose account is made."""
        self.account(jid)
        client = self.login(jid, at=at)
        assert client.jid
        return client

    def online(self, jid: str, *, priority: int = 0, roster: bool = True, at: str = "") -> Client:
        """An available client, which has asked for its roster; what it got for that is forgotten."""
        client = self.client(jid, at=at)
        if roster:
            client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
        client.send(f"<presence><priority>{priority}</priority></presence>" if priority else "<presence/>")
        self.settle()
        self.forget()
        return client

    def forget(self) -> None:
        """What clients got so far was not the point."""
        self.abroad.stanzas.clear()
        for connection in self.connections:
            if isinstance(connection, Client):
                connection.stanzas.clear()

    # --- time

    def settle(self) -> None:
        """Go on until nothing moves: no bytes, and nothing that is due."""
        while True:
            moved = [connection.pump() for connection in self.connections]
            calls: Any = self.clock.getDelayedCalls()
            due = any(call.getTime() <= self.clock.seconds() for call in calls)
            if due:
                self.clock.advance(0)
            elif not any(moved):
                return

    def say(self, client: Connection, data: str) -> None:
        """The client sends this, and all that comes of it happens."""
        client.send(data)
        self.settle()

    def advance(self, seconds: float) -> None:
        """Time goes by, and everything happens when it is due."""
        until = self.clock.seconds() + seconds
        while (next_at := min([call.getTime() for call in self.clock.getDelayedCalls()], default=until)) < until:
            self.hang(max(0.0, next_at - self.clock.seconds()))
        self.hang(until - self.clock.seconds())

    def hang(self, seconds: float) -> None:
        """Time goes by, in which nothing happens that is due before its end: the servers are behind with their work."""
        self.clock.advance(seconds)
        self.settle()


@contextmanager
def watched_log() -> Iterator[list[LogEvent]]:
    """The failures that the servers log meanwhile; a test that expects none checks at its end that there are none."""
    failures: list[LogEvent] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event)

    globalLogPublisher.addObserver(observe)
    try:
        yield failures
    finally:
        globalLogPublisher.removeObserver(observe)
