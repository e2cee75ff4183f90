"""A lab in virtual time: the nodes of a plan, the router between them, and what can happen to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cluster.lab.serving import roster
from cluster.lab.state import State
from cluster.router.settings import FaultSettings, merged
from cluster.simulated_redis.server import SimulatedRedis
from cluster.simulation import passwords
from cluster.simulation.backbone import Backbone
from cluster.simulation.costs import Costs, Machines
from cluster.simulation.foreign import RESTART_S, Foreign
from cluster.simulation.in_memory import InMemory
from cluster.simulation.in_redis import InRedis
from cluster.simulation.journal import Journal
from cluster.simulation.node import SimulatedNode
from cluster.simulation.recording import Recording
from cluster.simulation.router_kind import RouterKind
from cluster.simulation.wall_clock import WallClock
from cluster.topology.plan import Plan, XmpplabServer
from cluster.virtual.host import Host
from cluster.virtual.network import Network
from cluster.virtual.timeline import NS, Timeline
from cluster.xmpp.stanza import Stanza

EVENTS_AT_ONCE = 5_000
"""Events between two checks for an interrupt."""
IN_TURN_S = 0.02
"""A node that is to crash within a turn does so in this time, also without a turn that writes something."""


class SimulatedLab:
    """A simulated lab: its backbone outlives its nodes."""

    def __init__(
        self, plan: Plan, seed: int, router: RouterKind = "memory", costs: Costs | None = None,
        recording: Recording | None = None, hops: int = 0,
    ) -> None:  # fmt: skip
        """The same arguments give the same run. `costs`: None where nothing takes time; `hops`: how many of the latest
        ones are kept."""
        self.plan = plan
        self.seed = seed
        self.recording = recording
        self.journal = Journal(hops)
        self.timeline = Timeline()
        self._right = WallClock(self.timeline)
        self.network = Network(self.timeline, str(seed))
        self.machines = Machines(self.timeline, costs, seed) if costs is not None else None
        """The service times of the processes."""
        self.nodes: dict[str, SimulatedNode] = {}
        """The running nodes, by name."""
        self.redis: SimulatedRedis | None = None
        self.domains = [*dict.fromkeys(node.domain for node in plan.ours)]
        self.backbone = self._backbone(router)
        self._faults: dict[tuple[str, str], dict[str, Any]] = {}
        self._of_plan = {(link.from_, link.to): link.faults for link in plan.links}
        self.planned = {node.name: node for node in plan.ours}
        """The nodes of the plan, by name."""
        self._of_domain: dict[str, list[XmpplabServer]] = {}
        for node in plan.ours:
            self._of_domain.setdefault(node.domain, []).append(node)
        self._starts: dict[str, int] = {}
        self._clocks: dict[str, WallClock] = {}
        self._looked_ns = 0
        """When the recording looked last."""
        self.supervisor = self.network.host("supervisor")
        self.on_ignored: Callable[[Stanza], None] = lambda error: None
        """Is told of each error that a server ignores, as its receiver is gone (RFC 6121 section 8.5)."""
        self.foreign = Foreign(self)
        """The gateways and foreign networks."""

    def _backbone(self, router: RouterKind) -> Backbone:
        if router == "redis":
            in_redis = InRedis(self.plan, self.network, self.journal, self.utc_s, self.machines)
            self.redis = in_redis.redis
            return in_redis
        return InMemory(self.plan, self.network.host("redis"), self.journal, self._take_over)

    async def start(self) -> None:
        """Create the accounts, and start all nodes."""
        self.backbone.start()
        for link in self._of_plan:
            self.mend(*link)
        for node in self.plan.ours:
            for seed in node.accounts:
                account = passwords.account(seed.localpart, seed.password)
                await self.backbone.seed(node.domain, account, roster(seed))
        for name in self.planned:
            self.start_node(name)
        self.foreign.start()

    def start_node(self, name: str) -> None:
        """Start a node, for the first time or after a crash; without effect where it runs."""
        if name in self.nodes:
            return
        self.network.regain_power(name)
        if name not in self.planned:
            self.foreign.start_node(name)
            return
        node = self.planned[name]
        self._starts[name] = number = self._starts.get(name, 0) + 1
        self.nodes[name] = SimulatedNode(self, node, number)

    def crash(self, name: str) -> None:
        """Kill a node: its memory is lost. Another node of its domain takes over after SILENCE_S."""
        crashed = self.nodes.pop(name, None)
        if crashed is None:
            self.foreign.crash(name)
            return
        crashed.crash()

    def lose_power(self, name: str) -> None:
        """Turn the machine of a node off: its process is killed, and its peers get no reset until it starts again."""
        self.network.lose_power(name)
        self.crash(name)

    def died(self, name: str) -> None:
        """A node has ended by itself: it is started again after RESTART_S, as by a supervisor."""
        self.crash(name)
        self.supervisor.callLater(RESTART_S, self.start_node, name)

    def crash_in_turn(self, name: str) -> None:
        """Kill a node when it has handled some input and written nothing that comes of it; within IN_TURN_S in any
        case.

        Over Redis it is killed between two turns: what a turn writes to a connection is under way before its end here.
        """
        node = self.nodes.get(name)
        if self.redis is not None:
            self.crash(name)
        elif node is None:
            self.foreign.crash(name)
        else:
            node.turn.is_last = True
            node.host.callLater(IN_TURN_S, self.crash, name)

    def host_of(self, name: str) -> Host:
        """The process of a running node."""
        return (self.nodes.get(name) or self.foreign.nodes[name]).host

    def restart(self, name: str) -> None:
        """Stop a node in an orderly way, and start it again."""

        def start() -> None:
            self.crash(name)
            self.start_node(name)

        (self.nodes.get(name) or self.foreign.nodes[name]).stop(start)

    def set_faults(self, from_: str, to: str, faults: Mapping[str, Any]) -> None:
        """Add these faults to the link from one domain to another, in the form of `settings.parse`; None removes
        one."""
        self._give_faults(from_, to, merged(self._faults.get((from_, to), {}), faults, self.timeline.seconds()))

    def mend(self, from_: str, to: str) -> None:
        """Give a link the faults of the plan, and no others."""
        self._give_faults(from_, to, merged({}, self._of_plan.get((from_, to), {}), 0.0))

    def _give_faults(self, from_: str, to: str, faults: dict[str, Any]) -> None:
        self._faults[from_, to] = faults
        self.backbone.set_faults(from_, to, FaultSettings(f"{self.plan.fault_seed} {self.seed}", faults))

    def left_over(self) -> list[str]:
        """What nodes and links keep; empty when all clients have logged out and all has been delivered."""
        left = [each for node in self.nodes.values() for each in node.left_over()]
        return left + self.backbone.left_over()

    def is_running(self, name: str) -> bool:
        """Whether a node is up and not paused."""
        node = self.nodes.get(name) or self.foreign.nodes.get(name)
        return node is not None and node.is_ready and node.host.life.runs

    def state_of(self, name: str) -> State:
        """The state of a node, in the words of a lab."""
        node = self.nodes.get(name)
        if node is None:
            return "restarting"
        if not node.host.life.runs:
            return "paused"
        return "running" if node.is_ready else "starting"

    def faults_of(self, from_: str, to: str) -> Mapping[str, Any]:
        """The faults of the link from one domain to another, in the form of `settings.parse`."""
        return self._faults.get((from_, to), {})

    def mark(self, what: str) -> None:
        """Note in the recording, if there is one, that this is done to the lab."""
        if self.recording is not None:
            self.recording.mark(self.utc_s(), what)

    def let_pass(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        """Let virtual time pass. `meanwhile` is called after each EVENTS_AT_ONCE events, of a recorded run after each
        second, too; it may raise."""
        timeline = self.timeline
        end_ns = timeline.now_ns + int(seconds * NS)
        while True:
            until_ns = end_ns if self.recording is None else min(end_ns, (timeline.now_ns // NS + 1) * NS)
            while not timeline.run(until_ns, EVENTS_AT_ONCE):
                meanwhile()
            if self.recording is not None and until_ns % NS == 0 and until_ns > self._looked_ns:
                self._looked_ns = until_ns
                self.recording.second(self)
                meanwhile()
            if until_ns == end_ns:
                return

    def _take_over(self, domain: str) -> None:
        """Let the first running node of a domain read its links."""
        for node in self.nodes.values():
            if node.node.domain == domain:
                node.read_links()
                return

    def clock_of(self, name: str) -> WallClock:
        """The clock of the machine of a node."""
        clock = self._clocks.get(name)
        if clock is None:
            clock = self._clocks[name] = WallClock(self.timeline)
        return clock

    def utc_s(self) -> float:
        """The right time of day, in seconds since the epoch."""
        return self._right.utc_s()

    def node_of(self, domain: str, number: int) -> XmpplabServer:
        """The node that the client with this number connects to."""
        nodes = self._of_domain[domain]
        return nodes[number % len(nodes)]
