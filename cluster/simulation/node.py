"""A running server node, from its start to its crash."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base.turn import Turn
from cluster.lab.serving import config
from cluster.membership.memory import MemoryNodes
from cluster.server.build import Server, build
from cluster.server.config import Ports
from cluster.simulation.passwords import derivation
from cluster.store.port import Store
from cluster.topology.plan import XmpplabServer
from cluster.trace.hop import Tracer

if TYPE_CHECKING:
    from cluster.simulation.lab import SimulatedLab

START_UTC_S = 1_700_000_000
"""2023-11-14T22:13:20Z: the wall-clock time at the start of each run."""
CERTIFICATE = b"hash of the certificate"
"""Stands for the hash of a certificate, for channel binding (RFC 5929 section 4.1)."""


class SimulatedNode:
    """The same server as in a process, on a simulated host, with router, nodes and store in memory."""

    def __init__(self, lab: SimulatedLab, node: XmpplabServer, store: Store, number: int) -> None:
        """`number`: how often the node was started."""
        self.node = node
        self.store = store
        self.host = lab.network.host(node.name)
        self._lab = lab
        timeline, chance = lab.timeline, Random(f"{lab.seed} {node.name} {number}")
        tracer = Tracer(
            node.name,
            lab.journal,
            lambda: START_UTC_S * 1_000_000_000 + timeline.now_ns,
            lambda: f"{chance.getrandbits(64):016x}",
            lab.plan.sample_every,
            self.host,
        )
        turn = Turn(self.host)
        self.router = lab.router.router(node.domain, tracer, self.host, turn)
        self.nodes = MemoryNodes(lab.memberships[node.domain], node.name, self.host)
        ports = Ports(
            self.host, lambda: START_UTC_S + timeline.seconds(), turn,
            new_id=lambda: f"{chance.getrandbits(64):016x}", new_salt=lambda: chance.randbytes(16),
            derive=derivation(self.host), store=store, router=self.router, nodes=self.nodes, tracer=tracer,
            expelled=lambda: lab.crash(node.name),
        )  # fmt: skip
        self.server: Server = build(config(lab.plan, node, lab.router.served_by, None, CERTIFICATE), ports)
        Deferred.fromCoroutine(self._start()).addErrback(
            lambda failure: Logger().failure("{node} did not start", failure, node=node.name)
        )

    async def _start(self) -> None:
        await self.server.start()
        self.host.listenTCP(self.node.c2s_port, self.server.clients)

    def read_links(self) -> None:
        """Read the links of the domain, in the place of a crashed node."""
        Deferred.fromCoroutine(self.server.routing.start())

    def left_over(self) -> list[str]:
        """What is left after all clients have disconnected; empty where all is well."""
        accounts = self.server.domain.accounts.online
        counts = {
            "client streams": len(self.server.clients.streams),
            "connections": self.host.connections,
            "sessions": sum(len(account.sessions) for account in accounts.values()),
            "accounts online": len(accounts),
        }
        return [f"{self.node.name}: {count} {what}" for what, count in counts.items() if count]
