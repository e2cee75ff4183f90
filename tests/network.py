"""Several domains in one process, joined in memory; clients and time are moved by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure

from cluster import modules
from cluster.router.memory import MemoryNetwork, MemoryRouter
from cluster.server.c2s import C2s, ClientStreams
from cluster.server.credentials import ITERATIONS, Credentials
from cluster.server.domain import Domain
from cluster.server.module import Module
from cluster.server.turn import Turn
from cluster.store.memory import memory_store
from cluster.store.port import Account, RosterItem, ScramKeys, Store
from cluster.trace.hop import Hop, Tracer
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.features import StreamOptions
from cluster.xmpp.initiating import InitiatingStream, Login, StreamFailed
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.parser import Slice
from cluster.xmpp.sasl import HASHES, make_keys
from cluster.xmpp.stanza import Stanza
from tests.told import told

T = TypeVar("T")
MONTAGUE, CAPULET = "montague.lit", "capulet.lit"
ELSINORE = "elsinore.lit"
"""The domain of `Abroad`."""
PASSWORD = "secret"
START_UTC_S = 1_700_000_000.125
"""2023-11-14T22:13:20.125Z: when the clock of every network starts."""
SOCKET_BYTES = 65_536
"""One read of a socket, and what a transport writes before it asks its producer to pause; Twisted's values."""


def at_once(coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
    """The result of a coroutine that nobody makes wait."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    assert results, "somebody made the coroutine wait"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


@lru_cache
def _keys() -> dict[str, ScramKeys]:
    return {name: ScramKeys(*make_keys(name, PASSWORD, b"salt of the tests", ITERATIONS)) for name in HASHES}


class SameThread:
    """A reactor and a thread pool for `Credentials`, which do at once what they are given."""

    def callFromThread(self, call: Callable[..., object], *args: object) -> None:
        call(*args)

    def callInThreadWithCallback(self, done: Callable[[bool, Any], None], call: Callable[..., Any], *args: Any) -> None:
        try:
            result = call(*args)
        except Exception:
            done(False, Failure())
        else:
            done(True, result)


class Wire(StringTransport):
    """The server's end of a connection; what the client has not read waits in it."""

    def __init__(self) -> None:
        super().__init__(lenient=True)
        self._is_full = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As TCP has it; there is nothing to delay here."""

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.producer and not self._is_full and self.io.tell() > SOCKET_BYTES:
            self._is_full = True
            self.producer.pauseProducing()

    def take(self) -> bytes:
        """What was written, for the client."""
        data = self.value()
        self.clear()
        if self._is_full:
            self._is_full = False
            if self.producer:
                self.producer.resumeProducing()
        return data


class Connection:
    """A client that is made of bytes."""

    def __init__(self, streams: ClientStreams) -> None:
        self.wire = Wire()
        self.output = b""
        """All that the client has read."""
        self.reading = True
        self.is_closed = False
        self._unsent = b""
        self._protocol = streams.buildProtocol(None)
        self._protocol.makeConnection(self.wire)

    def send(self, data: str | bytes) -> None:
        """Queue bytes; `Network.settle` moves them."""
        self._unsent += data.encode() if isinstance(data, str) else data

    def read(self, data: bytes) -> None:
        """The server wrote this."""
        self.output += data

    def drop(self) -> None:
        """The connection is lost without a goodbye."""
        self.is_closed = True
        self._protocol.connectionLost(Failure(ConnectionLost()))

    def pump(self) -> bool:
        """Move one read and one write; whether there was anything to move."""
        if self.is_closed:
            return False
        moved = False
        if self._unsent and self.wire.producerState == "producing":
            data, self._unsent = self._unsent[:SOCKET_BYTES], self._unsent[SOCKET_BYTES:]
            self._protocol.dataReceived(data)
            moved = True
        if self.reading and (written := self.wire.take()):
            self.read(written)
            moved = True
        if self.wire.disconnected or (self.wire.disconnecting and not self.wire.value()):
            self.is_closed = True
            self._protocol.connectionLost(Failure(ConnectionDone()))
            moved = True
        return moved


class Client(Connection):
    """A client that logs in, and collects the stanzas that it gets."""

    def __init__(self, streams: ClientStreams, login: Login, new_id: Callable[[], str]) -> None:
        super().__init__(streams)
        self.failed: StreamFailed | None = None
        self.stanzas: list[Element] = []
        self._stream = InitiatingStream(login, new_id)
        self.send(self._stream.data_to_send())

    @property
    def jid(self) -> Jid:
        """Its full JID, once it is bound."""
        assert self._stream.jid is not None, f"not bound: {self.failed}"
        return self._stream.jid

    def read(self, data: bytes) -> None:
        super().read(data)
        if self.failed is not None:
            return
        try:
            self._stream.receive_data(data)
            self.stanzas += [xml.parse(child.raw) for child in self._stream.events() if isinstance(child, Slice)]
        except StreamFailed as failed:
            self.failed = failed
        self.send(self._stream.data_to_send())

    def close(self) -> None:
        """Say goodbye."""
        self._stream.close()
        self.send(self._stream.data_to_send())

    def take(self) -> list[str]:
        """What it got since it was last asked, each stanza as one line: see `told`."""
        stanzas, self.stanzas = self.stanzas, []
        return [told(stanza) for stanza in stanzas]


class Abroad:
    """A domain that decides nothing: what reaches it is seen as it came, and it sends whatever a test wants."""

    def __init__(self, router: MemoryRouter) -> None:
        self.stanzas: list[Stanza] = []
        self._router = router
        at_once(router.start(lambda stanza: self.stanzas.append(stanza), lambda stanza, error: None))

    def take(self) -> list[str]:
        """What it got since it was last asked, and for whom: see `told`."""
        stanzas, self.stanzas = self.stanzas, []
        return [f"{told(stanza.tree)} -> {stanza.to}" for stanza in stanzas]

    def send(self, stanza: Stanza) -> None:
        """Send it over the link to the domain of its `to`."""
        assert stanza.to is not None
        self._router.link(stanza.to.domainpart).send(stanza)


@dataclass
class Server:
    """One domain of a network."""

    domain: Domain
    store: Store
    streams: ClientStreams
    journal: list[Hop]


class Network:
    """Domains, the links between them, and their clients."""

    def __init__(
        self,
        domains: tuple[str, ...] = (MONTAGUE, CAPULET),
        stores: dict[str, Store] | None = None,
        loaded: list[Module] | None = None,
        registration: bool = False,
    ) -> None:
        self.clock = Clock()
        numbers = itertools.count(1)
        self._new_id = lambda: f"id{next(numbers)}"
        self._memory = MemoryNetwork(self.clock, (*domains, ELSINORE))
        self._loaded = modules.load(modules.names()) if loaded is None else loaded
        self._registration = registration
        self._connections: list[Connection] = []
        stores = stores or {}
        self.servers = {name: self._serve(name, stores.get(name) or memory_store()) for name in domains}
        self.abroad = Abroad(self._memory.router(ELSINORE, self._tracer(ELSINORE, [])))

    def _serve(self, name: str, store: Store) -> Server:
        journal: list[Hop] = []
        tracer = self._tracer(name, journal)
        same: Any = SameThread()
        domain = Domain(
            name, store=store, router=self._memory.router(name, tracer), tracer=tracer,
            credentials=Credentials(store.accounts, same, same, lambda: b"salt of the domain"), modules=self._loaded,
            registration=self._registration, new_id=self._new_id,
            now_utc_s=lambda: START_UTC_S + self.clock.seconds(),
        )  # fmt: skip
        offered = tuple(m.stream_feature for m in self._loaded if m.stream_feature is not None)
        options = StreamOptions(name, "off", offered if self._registration else ())
        turn: Any = Turn(self.clock)  # type: ignore[arg-type]  # IDelayedCall, where the server names its class
        shared = C2s(domain, options, self.clock, turn, self._new_id, None, b"")  # type: ignore[arg-type]  # the same
        at_once(domain.start())
        return Server(domain, store, ClientStreams(shared), journal)

    def _tracer(self, name: str, journal: list[Hop]) -> Tracer:
        return Tracer(name, journal, lambda: 0, self._new_id, 1)

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
        self._connections.append(connection)
        return connection

    def login(self, jid: str, *, password: str = PASSWORD, register: bool = False) -> Client:
        """A client of an existing account; where it is refused, its `failed` says why."""
        login = Login(Jid.parse(jid), password, register)
        client = Client(self.servers[login.jid.domainpart].streams, login, self._new_id)
        self._connections.append(client)
        self.settle()
        return client

    def client(self, jid: str) -> Client:
        """A bound client, not available, whose account is made."""
        self.account(jid)
        client = self.login(jid)
        assert client.jid
        return client

    def online(self, jid: str, *, priority: int = 0, roster: bool = True) -> Client:
        """An available client, which has asked for its roster; what it got for that is forgotten."""
        client = self.client(jid)
        if roster:
            client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
        client.send(f"<presence><priority>{priority}</priority></presence>" if priority else "<presence/>")
        self.settle()
        self.forget()
        return client

    def forget(self) -> None:
        """What clients got so far was not the point."""
        self.abroad.stanzas.clear()
        for connection in self._connections:
            if isinstance(connection, Client):
                connection.stanzas.clear()

    # --- time

    def settle(self) -> None:
        """Go on until nothing moves: no bytes, and nothing that is due."""
        while True:
            moved = [connection.pump() for connection in self._connections]
            due = any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls())
            if due:
                self.clock.advance(0)
            elif not any(moved):
                return

    def say(self, client: Connection, data: str) -> None:
        """The client sends this, and all that comes of it happens."""
        client.send(data)
        self.settle()

    def advance(self, seconds: float) -> None:
        """Time goes by."""
        self.clock.advance(seconds)
        self.settle()


@contextmanager
def watched_log() -> Iterator[list[LogEvent]]:
    """The failures that the servers log meanwhile; a test that expects none checks at its end that there are none."""
    failures: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event)

    globalLogPublisher.addObserver(observe)
    try:
        yield failures
    finally:
        globalLogPublisher.removeObserver(observe)


def child(stanza: Element, name: str, namespace: str = CLIENT) -> Element:
    """The one child of that name."""
    found = stanza.findall(f"{{{namespace}}}{name}")
    assert len(found) == 1, xml.serialize(stanza)
    return found[0]
