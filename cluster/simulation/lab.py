"""A lab in virtual time: the nodes of a plan, the router between them, and what can happen to them."""

from __future__ import annotations

from itertools import permutations

from cluster.lab.serving import roster
from cluster.membership.memory import SILENCE_S, MemoryMembership
from cluster.router.memory import MemoryNetwork
from cluster.router.settings import FaultSettings, merged, parse
from cluster.simulation import passwords
from cluster.simulation.journal import Journal
from cluster.simulation.node import SimulatedNode
from cluster.store.memory import memory_store
from cluster.store.port import Store
from cluster.topology.plan import Plan, XmpplabServer
from cluster.virtual.network import Network
from cluster.virtual.timeline import Timeline

ACKNOWLEDGE_AFTER_S = 0.01
"""Stanzas that settled less than this time before a crash are delivered again, as with Redis."""


class SimulatedLab:
    """A simulated lab. Its stores outlive its nodes, as Redis does."""

    def __init__(self, plan: Plan, seed: int) -> None:
        """The same plan and seed give the same run."""
        self.plan = plan
        self.seed = seed
        self.journal = Journal()
        self.timeline = Timeline()
        self.network = Network(self.timeline, str(seed))
        self.stores: dict[str, Store] = {}
        """The stores, by domain."""
        self.nodes: dict[str, SimulatedNode] = {}
        """The running nodes, by name."""
        redis = self.network.host("redis")
        self.memberships = {node.domain: MemoryMembership(redis) for node in plan.ours}
        self.router = MemoryNetwork(
            redis, self.memberships, plan.max_backlog, plan.served_by, ACKNOWLEDGE_AFTER_S, _apart(plan)
        )
        self._faults = {(link.from_, link.to): link.faults for link in plan.links}
        for link in self._faults:
            self.set_link(*link, is_down=False)
        self._planned = {node.name: node for node in plan.ours}
        self._of_domain: dict[str, list[XmpplabServer]] = {}
        for node in plan.ours:
            self._of_domain.setdefault(node.domain, []).append(node)
        self._starts: dict[str, int] = {}

    async def start(self) -> None:
        """Create the accounts, and start all nodes."""
        for node in self.plan.ours:
            store = self.stores.setdefault(node.domain, memory_store())
            for seed in node.accounts:
                await store.accounts.seed(passwords.account(seed.localpart, seed.password), roster(seed))
        for name in self._planned:
            self.start_node(name)

    def start_node(self, name: str) -> None:
        """Start a node, for the first time or after a crash."""
        node = self._planned[name]
        self._starts[name] = number = self._starts.get(name, 0) + 1
        self.nodes[name] = SimulatedNode(self, node, self.stores[node.domain], number)

    def crash(self, name: str) -> None:
        """Kill a node: its memory is lost. Another node of its domain takes over after SILENCE_S."""
        crashed = self.nodes.pop(name, None)
        if crashed is None:
            return
        crashed.host.crash()
        was_reader = self.router.forget(crashed.router)
        self.memberships[crashed.node.domain].crash(crashed.nodes)
        if was_reader:
            self.router.clock.callLater(SILENCE_S, self._have_read, crashed.node.domain)

    def set_link(self, from_: str, to: str, *, is_down: bool) -> None:
        """Take the link from one domain to another down, or bring it up, with the faults that it has in the plan."""
        faults = merged({}, self._faults.get((from_, to), {}), 0.0)
        if is_down:
            faults |= parse({"down": "always"})
        self.router.set_faults(from_, to, FaultSettings(f"{self.plan.fault_seed} {self.seed}", faults))

    def _have_read(self, domain: str) -> None:
        """Let the first running node of a domain read its links, unless a node does."""
        if domain not in self.router.readers:
            for node in self.nodes.values():
                if node.node.domain == domain:
                    node.read_links()
                    return

    def node_of(self, domain: str, number: int) -> XmpplabServer:
        """The node that the client with this number connects to."""
        nodes = self._of_domain[domain]
        return nodes[number % len(nodes)]


def _apart(plan: Plan) -> list[tuple[str, str]]:
    if all(node.peers is None for node in plan.ours):
        return []
    return [
        (one.domain, other.domain) for one, other in permutations(plan.ours, 2) if not one.is_joined_to(other.domain)
    ]
