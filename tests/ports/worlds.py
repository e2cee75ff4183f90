"""Networks of three domains in which the contract of the routers is tried: in memory, and in a real Valkey."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from cluster.base.settled import Settled
from cluster.base.turn import Turn
from cluster.redisio.acl import rules
from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.router.memory import MemoryNetwork
from cluster.router.port import Router, Unsettled
from cluster.router.redis import RedisRouter
from cluster.router.settings import FaultSettings, merged, parse
from cluster.server.routing import one_by_one
from cluster.trace.hop import Hop, Tracer
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, opening
from tests.harness import ReactorThread, Valkey, until
from tests.valkey_cluster import ValkeyCluster
from tests.valkey_sentinel import ValkeySentinel

MONTAGUE, CAPULET, SHAKESPEARE = "montague.lit", "capulet.lit", "shakespeare.lit"
DENMARK = "denmark.lit"
"""A link leads from there to capulet.lit only."""
PEERS = {DENMARK: [CAPULET]}
MAX_BACKLOG = 50
SERVED_BY = {"sms.montague.lit": MONTAGUE, "rooms.capulet.lit": CAPULET}
"""The components."""


def chat(
    text: str,
    from_: str = "romeo@montague.lit/pda",
    to: str = "juliet@capulet.lit",
    trace_id: str = "",
    raw: bytes = b"",
) -> Stanza:
    """A message, as the server of its sender sends it on."""
    sender = Jid.parse(from_)
    raw = raw or opening("message", sender) + f" to='{to}' type='chat'><body>{text}</body></message>".encode()
    return Stanza("message", Jid.parse(to), sender, None, "chat", ("jabber:client body",), raw, trace_id)


def text_of(stanza: Stanza) -> str:
    return stanza.tree.findtext("{jabber:client}body") or ""


def settings(now_s: float, texts: dict[str, str]) -> FaultSettings:
    """The faults that are written so, counted from now."""
    return FaultSettings("seed", merged({}, parse(texts), now_s))


class Node:
    """A domain that notes what its router brings."""

    def __init__(self, clock: Any) -> None:
        self.router: Router
        self.delivered: list[Stanza] = []
        self.places: list[str] = []
        """Of those, in the link that they came over."""
        self.bounced: list[tuple[Stanza, StanzaError]] = []
        self.hops: list[Hop] = []
        self.settled_by: Callable[[Stanza], Settled] = lambda stanza: None
        times = itertools.count()
        self.tracer = Tracer("s", self, lambda: next(times), lambda: "new", 0, clock)

    def append(self, hop: Hop) -> None:
        """As a `Journal`."""
        self.hops.append(hop)

    def from_link(self, stanza: Stanza, place: str) -> Settled:
        self.delivered.append(stanza)
        self.places.append(place)
        return self.settled_by(stanza)

    def copies_from_link(self, copies: Copies, place: str) -> list[Unsettled]:
        return one_by_one(self.from_link, copies, place)

    def bounce(self, stanza: Stanza, error: StanzaError) -> None:
        self.bounced.append((stanza, error))

    def send(self, item: Stanza | Copies) -> Settled:
        to = item.to if isinstance(item, Stanza) else item.receivers[0]
        assert to is not None
        return self.router.link(to.domainpart).send(item)

    async def sent(self, stanza: Stanza) -> None:
        """Send it, and wait until it is safe or bounced."""
        settled = self.send(stanza)
        assert settled is not None
        await settled


class World(Protocol):
    """What a scenario needs of a network, whatever it is made of."""

    async def start(self, domain: str) -> Node:
        """A server of the domain, up and reading."""

    async def set_faults(self, from_: str, to: str, **texts: str) -> None:
        """Give a link these faults in place of those it has."""

    def lost(self, from_: str, to: str) -> int:
        """How many stanzas faults lost on a link."""

    async def crash(self, node: Node) -> None:
        """End it without its doing anything more."""

    async def turn(self) -> None:
        """Let one turn of the reactor go by."""

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the reactor go on until the condition holds."""

    async def until_settled(self, from_: str, to: str, left: int) -> None:
        """Until the link has no more than so many entries."""

    async def until_empty(self, from_: str, to: str) -> None:
        """Until all of the link is acknowledged."""


def run_on(clock: Clock, scenario: Coroutine[Deferred[Any], Any, None]) -> None:
    """Let the clock jump until the scenario is over; its exception is raised here."""
    results: list[Any] = []
    Deferred.fromCoroutine(scenario).addBoth(results.append)
    for _ in range(10_000):
        if results:
            break
        clock.advance(0.01)
    assert results, "what the scenario waits for never came"
    if results[0] is not None:
        results[0].raiseException()


class MemoryWorld:
    """On a clock that jumps, so that nothing takes time."""

    def __init__(self) -> None:
        self.clock = Clock()
        domains = [MONTAGUE, CAPULET, SHAKESPEARE, DENMARK]
        apart = {(DENMARK, MONTAGUE), (DENMARK, SHAKESPEARE)}
        self.network = MemoryNetwork(
            self.clock, domains, MAX_BACKLOG, SERVED_BY, is_linked=lambda *ends: ends not in apart
        )

    def run(self, scenario: Callable[[World], Coroutine[Deferred[Any], Any, None]]) -> None:
        run_on(self.clock, scenario(self))

    async def start(self, domain: str) -> Node:
        node = Node(self.clock)
        node.router = self.network.router(domain, node.tracer)
        await node.router.start(node)
        return node

    async def set_faults(self, from_: str, to: str, **texts: str) -> None:
        self.network.set_faults(from_, to, settings(self.clock.seconds(), texts))

    def lost(self, from_: str, to: str) -> int:
        return self.network.lost[from_, to]

    async def crash(self, node: Node) -> None:
        await node.router.stop()  # in memory, whoever goes leaves everything behind

    async def turn(self) -> None:
        await deferLater(self.clock, 0)

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.clock, condition)

    async def until_settled(self, from_: str, to: str, left: int) -> None:
        await self.until(lambda: len(self.network.queue(from_, to).entries) <= left)

    async def until_empty(self, from_: str, to: str) -> None:
        await self.until_settled(from_, to, 0)


class RedisWorld:
    """In a real Valkey or a cluster of them, each domain as its own user with the rights of a server."""

    def __init__(self, thread: ReactorThread, valkey: Valkey | ValkeyCluster | ValkeySentinel, keys: Keys) -> None:
        self._thread = thread
        self.reactor = thread.reactor
        self.valkey = valkey
        self.keys = keys
        self.max_backlog = MAX_BACKLOG
        self.clients: dict[Node, RedisClient] = {}
        for domain in (MONTAGUE, CAPULET, SHAKESPEARE, DENMARK):
            valkey.admin.sadd(keys.domains, domain)
            self.let_in(domain)

    def let_in(self, domain: str) -> None:
        """Make the user of a domain."""
        self.valkey.make_user(self.user(domain), rules(self.keys, domain, "pw", PEERS.get(domain)))

    def user(self, domain: str) -> str:
        return f"{self.keys.prefix}:{domain}"

    def run(self, scenario: Callable[[World], Coroutine[Deferred[Any], Any, None]]) -> None:
        async def and_close() -> None:
            try:
                await scenario(self)
            finally:
                for client in self.clients.values():
                    await client.close()

        self._thread.run(and_close)

    async def client(self, domain: str) -> RedisClient:
        url = RedisUrl.parse(self.valkey.url_of(self.user(domain).replace(":", "%3A"), "pw"))
        client = RedisClient(self.reactor, url, lambda: 0.0)
        await client.connect(self.keys.doorbell(domain))
        return client

    async def start(self, domain: str) -> Node:
        node = Node(self.reactor)
        client = self.clients[node] = await self.client(domain)
        node.router = RedisRouter(
            self.reactor, client, self.keys, turn=Turn(self.reactor),
            domain=domain, tracer=node.tracer, max_backlog=self.max_backlog, now_utc_s=self.reactor.seconds,
            served_by=SERVED_BY,
            peers=PEERS.get(domain),
        )  # fmt: skip
        await node.router.start(node)
        return node

    async def set_faults(self, from_: str, to: str, **texts: str) -> None:
        key = self.keys.faults(to)
        self.valkey.admin.hset(key, from_, msgspec.json.encode(settings(self.reactor.seconds(), texts)))
        self.valkey.publish(key, from_)

    def lost(self, from_: str, to: str) -> int:
        return int(self.valkey.admin.hget(self.keys.lost(to), from_) or 0)

    async def crash(self, node: Node) -> None:
        await self.clients.pop(node).close()

    async def turn(self) -> None:
        await deferLater(self.reactor, 0)

    async def until(self, condition: Callable[[], object]) -> None:
        await until(self.reactor, condition)

    async def until_settled(self, from_: str, to: str, left: int) -> None:
        """By what Redis itself says: entries left, and those given to the reader and not acknowledged."""
        key = self.keys.link(to, from_)

        def pending() -> int:
            return sum(group["pending"] for group in self.valkey.admin.xinfo_groups(key))

        await self.until(lambda: self.valkey.admin.xlen(key) <= left and pending() <= left)

    async def until_empty(self, from_: str, to: str) -> None:
        await self.until_settled(from_, to, 0)
