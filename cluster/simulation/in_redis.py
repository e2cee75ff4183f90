"""The backbone in a simulated Redis: the same router, membership, store and journal as in a lab."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from typing_extensions import override

from cluster.base.turn import Turn
from cluster.lab.over_redis import over_redis
from cluster.lab.provision.announcement import announcement
from cluster.redisio.acl import rules
from cluster.redisio.client import RedisClient, RedisUnavailable
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.router.redis_counts import RedisCounts
from cluster.router.settings import FaultSettings, shifted
from cluster.simulated_redis.acl import Users
from cluster.simulated_redis.server import PORT, SimulatedRedis
from cluster.simulated_redis.stream import Stream
from cluster.simulation.backbone import Attachment, Backbone, Carriers, LinkCount, Process, Unreachable
from cluster.simulation.costs import LOCAL, Machines
from cluster.simulation.foreign import PASSWORD, SOCKET, grant
from cluster.simulation.late_store import TakesS
from cluster.store.port import Account, RosterItem, Store
from cluster.store.redis import redis_store
from cluster.topology.plan import Plan
from cluster.trace.hop import Hop, Journal, Tracer
from cluster.trace.redis import RedisJournal
from cluster.virtual.network import Network


class InRedis(Backbone):
    """A `Backbone`."""

    def __init__(
        self, plan: Plan, network: Network, journal: Journal, utc_s: Callable[[], float], machines: Machines | None
    ) -> None:
        self.plan = plan
        self.keys = Keys.of_lab(plan.name)
        self.journal = journal
        self._network = network
        self._utc_s = utc_s
        users = Users()
        users.set("default", ["off"])
        for node in plan.ours:
            users.set(self.user(node.domain), rules(self.keys, node.domain, PASSWORD, node.peers))
        grant(users, plan)
        self.redis = SimulatedRedis(network, users, utc_s)
        self._socket = SOCKET
        if machines is not None:
            self._socket = LOCAL
            self.redis.on_start = lambda host: machines.redis(host, lambda: self.redis.executed)

    def user(self, domain: str) -> str:
        """The user of a domain's servers."""
        return f"{self.keys.prefix}:{domain}"

    def start(self) -> None:
        """Start Redis, and tell it of the domains."""
        for command in announcement(self.plan, self._utc_s()):
            self.redis.do(*command)
        self.redis.start()

    @override
    def seed(self, domain: str, account: Account, roster: Sequence[RosterItem]) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.store(domain).accounts.seed(account, roster))

    @override
    def store(self, domain: str) -> Store:
        console: Any = Console(self.redis)
        return redis_store(console, self.keys, domain, Turn(self._network.host("console")))

    @override
    def attach(self, process: Process) -> InProcess:
        self._network.join(process.host.address, self.redis.address, self._socket)
        return InProcess(self, process)

    @override
    def set_faults(self, from_: str, to: str, settings: FaultSettings) -> None:
        key = self.keys.faults(to)
        by_its_clock = shifted(settings, self._utc_s() - self._network.timeline.seconds())
        self.redis.do("HSET", key, from_, msgspec.json.encode(by_its_clock))
        self.redis.do("PUBLISH", key, from_)

    @override
    def let_disk_take(self, takes_s: TakesS | None) -> None:
        self.redis.disk_takes_s = takes_s

    def links(self) -> Iterable[LinkCount]:
        """See `Backbone`. The nodes of a domain have links of their own, which are told together."""
        for to in dict.fromkeys(node.domain for node in self.plan.ours):
            counts: dict[str, tuple[int, int]] = {}
            ends = self.redis.do("SMEMBERS", self.keys.peers(to))
            for end in sorted(bytes(end).decode() for end in ends):
                stream = self.redis.values.get(self.keys.link(to, end).encode())
                if isinstance(stream, Stream):
                    domain = end.partition("/")[0]
                    written, waiting = counts.get(domain, (0, 0))
                    counts[domain] = written + stream.added, waiting + len(stream)
            yield from (LinkCount(from_, to, *count) for from_, count in counts.items())

    @override
    def left_over(self) -> list[str]:
        links = f"{self.keys.prefix}:link:", f"{self.keys.prefix}:nodes:"
        return [
            f"{key.decode()}: {len(value)} entries"
            for key, value in self.redis.values.items()
            if isinstance(value, Stream) and len(value) and key.decode().startswith(links)
        ]


class Console(RedisClient):
    """What of a client the stores need, for somebody who is at the machine of Redis: commands are done at once."""

    def __init__(self, redis: SimulatedRedis) -> None:
        self._redis = redis

    @override
    def execute(self, *command: str | bytes | int) -> Deferred[Any]:
        return succeed(self._redis.do(*command))

    def when_connected(self, callback: Callable[[], None], key: str = "") -> None:
        """It is never away."""


class InProcess(Attachment):
    """An `Attachment`."""

    def __init__(self, backbone: InRedis, process: Process) -> None:
        node, host = process.node, process.host
        reactor: Any = host  # without Unix sockets, TLS and threads
        url = RedisUrl("redis", backbone.redis.address, PORT, "", backbone.user(node.domain), PASSWORD, 0)
        self._client = RedisClient(reactor, url, process.chance.random)
        written = RedisJournal(self._client, backbone.keys, host, backbone.plan.journal_bytes)
        self.journal: Journal = Both(backbone.journal, written)
        self._backbone = backbone
        self._process = process

    @override
    async def connect(self) -> None:
        try:
            await self._client.connect(self._backbone.keys.accounts(self._process.node.domain))
        except RedisUnavailable as error:
            raise Unreachable(str(error)) from None

    @override
    def carriers(self, turn: Turn, tracer: Tracer) -> Carriers:
        node, host, new_id, utc_s, _ = self._process
        made = over_redis(
            host,
            self._client,
            self._backbone.plan,
            node,
            turn=turn,
            tracer=tracer,
            incarnation=new_id(),
            now_utc_s=utc_s,
        )
        counts = RedisCounts(host, self._client, self._backbone.keys, node.domain)
        return Carriers(*made, made.router.faults, counts)

    def crashed(self) -> None:
        """Redis sees that its connections end."""


class Both:
    """A journal that is two."""

    def __init__(self, one: Journal, other: Journal) -> None:
        self._both = one, other

    def append(self, hop: Hop) -> None:
        """Store it in both."""
        for journal in self._both:
            journal.append(hop)
