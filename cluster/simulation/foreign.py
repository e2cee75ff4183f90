"""Gateways and foreign networks in virtual time: their programs, which speak their real protocols.

A gateway stores in a simulated Redis what it stores in the Redis of a lab; a foreign network keeps all in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.request import Answer_co, Refused, Request, Status, answer_type, verb_of
from cluster.components.program import NodeEnvironment, Program
from cluster.lab.serving import program
from cluster.redisio.acl import part_rules
from cluster.redisio.client import RedisClient, RedisUnavailable
from cluster.redisio.keys import Keys
from cluster.redisio.url import RedisUrl
from cluster.simulated_redis.acl import Users
from cluster.simulated_redis.server import PORT, SimulatedRedis
from cluster.simulation.chance import Chance
from cluster.simulation.recording import RecordedJournal
from cluster.topology.plan import GatewayNode, NetworkNode, Plan, ServerNode
from cluster.trace.hop import Tracer
from cluster.virtual.wire import Wire

if TYPE_CHECKING:
    from cluster.simulation.lab import SimulatedLab

Node = TypeVar("Node", bound=ServerNode | GatewayNode | NetworkNode)
RESTART_S = 0.1
"""As the pause of a supervisor (`cluster.lab.processes.child`)."""
SOCKET = Wire(latency_s=0.00005)
"""Between a process and the Redis of its machine."""
PASSWORD = "secret"


class ForeignNode:
    """The process of a gateway or of a foreign network, from its start to its crash."""

    def __init__(self, lab: SimulatedLab, node: GatewayNode | NetworkNode, redis: SimulatedRedis, number: int) -> None:
        """`number`: how often the node was started."""
        plan = lab.plan
        keys = Keys.of_lab(plan.name)
        self.node = node
        clock = lab.clock_of(node.name)
        self.host = host = lab.network.host(node.name, clock.ahead_s)
        chance = Chance(f"{lab.seed} {node.name} {number}")
        lab.network.join(host.address, redis.address, SOCKET)
        url = RedisUrl("redis", redis.address, PORT, "", _user(keys, node), PASSWORD, 0)
        reactor: Any = host  # without Unix sockets, TLS and threads
        self._client = RedisClient(reactor, url, chance.random)
        self._home = keys.control(node.channel)

        def new_id() -> str:
            return f"{chance.getrandbits(64):016x}"

        journal = lab.journal if lab.recording is None else RecordedJournal(lab.journal, lab.recording)
        tracer = Tracer(node.name, journal, clock.utc_ns, new_id, 0, host)
        environment = NodeEnvironment(host, None, self._client, keys, tracer, clock.utc_s, new_id, chance.random)
        self.program = program(_by_names(plan), _by_name(node), environment)

    async def start(self) -> None:
        """Connect to Redis, and start the program."""
        await self._client.connect(self._home)
        await self.program.start()

    def stop(self, then: Callable[[], None]) -> None:
        """End in an orderly way."""
        Deferred.fromCoroutine(self.program.stop()).addBoth(lambda result: then())

    @property
    def is_ready(self) -> bool:
        """Whether its program says so."""
        return Asking(self.program)(Status()).get("ready") is True


class Asking:
    """Sends requests to a network in the same process, which answers at once. See `cluster.networks.person.Ask`."""

    def __init__(self, program: Program) -> None:
        self._administration = program.administration

    def __call__(self, request: Request[Answer_co], /) -> Answer_co:
        operation = getattr(self._administration, verb_of(type(request)))
        fields = {name: getattr(request, name) for name in request.__struct_fields__}
        given = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
        answers: list[object] = []
        Deferred.fromCoroutine(operation(**given)).addBoth(answers.append)
        [answer] = answers
        if isinstance(answer, Failure):
            raise Refused(answer.getErrorMessage())
        converted: Answer_co = msgspec.convert(answer, answer_type(request))
        return converted


class Foreign:
    """All gateways and foreign networks of a lab."""

    _log = Logger()

    def __init__(self, lab: SimulatedLab) -> None:
        self.nodes: dict[str, ForeignNode] = {}
        """The running ones, by name."""
        self._lab = lab
        self._planned = {node.name: node for node in _nodes(lab.plan)}
        self._starts: dict[str, int] = {}
        self._redis = lab.redis
        if self._planned and self._redis is None:
            users = Users()
            grant(users, lab.plan)
            self._redis = SimulatedRedis(lab.network, users, lab.utc_s, address="redis-of-gateways")
            self._redis.start()

    def start(self) -> None:
        """Start all of them; they are ready soon."""
        for name in self._planned:
            self.start_node(name)

    def start_node(self, name: str) -> None:
        """Start a node, for the first time or after a crash; without effect where it runs."""
        if name not in self.nodes:
            assert self._redis is not None  # where there are nodes
            self._starts[name] = number = self._starts.get(name, 0) + 1
            node = self.nodes[name] = ForeignNode(self._lab, self._planned[name], self._redis, number)
            Deferred.fromCoroutine(node.start()).addErrback(self._on_not_started, name)

    def _on_not_started(self, failure: Failure, name: str) -> None:
        """Redis is away: it is started again, as by a supervisor."""
        if failure.check(RedisUnavailable, ConnectionLost):
            self.crash(name)
            self._lab.supervisor.callLater(RESTART_S, self.start_node, name)
        else:
            self._log.failure("{node} did not start", failure, node=name)

    def crash(self, name: str) -> None:
        """Kill a node: its memory is lost."""
        if (node := self.nodes.pop(name, None)) is not None:
            node.host.crash()


def grant(users: Users, plan: Plan) -> None:
    """Add the users of gateways and networks to a Redis."""
    keys = Keys.of_lab(plan.name)
    for node in _nodes(plan):
        users.set(_user(keys, node), part_rules(keys, node.speaks_for, PASSWORD))


def _nodes(plan: Plan) -> list[GatewayNode | NetworkNode]:
    return [*plan.networks, *plan.gateways]


def _user(keys: Keys, node: GatewayNode | NetworkNode) -> str:
    return f"{keys.prefix}:{node.speaks_for}"


def _by_names(plan: Plan) -> Plan:
    """The plan with the addresses of the simulated network, on which the name of a node is its address."""
    return msgspec.structs.replace(
        plan,
        servers=tuple(map(_by_name, plan.servers)),
        gateways=tuple(map(_by_name, plan.gateways)),
        networks=tuple(map(_by_name, plan.networks)),
    )


def _by_name(node: Node) -> Node:
    return msgspec.structs.replace(node, host=node.name)
