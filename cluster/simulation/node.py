"""A running server node, from its start to its crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.lab.s2s import reached
from cluster.lab.serving import config
from cluster.router.mixed import MixedRouter
from cluster.router.port import Router
from cluster.router.s2s.router import S2sRouter
from cluster.server.build import Server, build
from cluster.server.config import Ports
from cluster.simulation.backbone import Process, Unreachable
from cluster.simulation.chance import Chance
from cluster.simulation.following import FollowingTracer
from cluster.simulation.passwords import derivation
from cluster.simulation.s2s import s2s_router
from cluster.simulation.turn import MortalTurn
from cluster.simulation.watchful import WatchfulTracer
from cluster.topology.plan import XmpplabServer
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from cluster.simulation.lab import SimulatedLab

CERTIFICATE = b"hash of the certificate"
"""Stands for the hash of a certificate, for channel binding (RFC 5929 section 4.1)."""


class SimulatedNode:
    """The same server as in a process, on a simulated host."""

    def __init__(self, lab: SimulatedLab, node: XmpplabServer, number: int) -> None:
        """`number`: how often the node was started."""
        self.node = node
        clock = lab.clock_of(node.name)
        self.host = lab.network.host(node.name, clock.ahead_s)
        self._lab = lab
        self._utc_ns = clock.utc_ns
        chance = Chance(f"{lab.seed} {node.name} {number}")
        self._process = Process(node, self.host, lambda: f"{chance.getrandbits(64):016x}", clock.utc_s, chance)
        self._attached = lab.backbone.attach(self._process)
        self.turn = MortalTurn(self.host, lambda: lab.crash(node.name))
        self._s2s: S2sRouter | None = None
        self.server: Server = build(config(lab.plan, node, lab.plan.served_by, None, CERTIFICATE), self._ports())
        if lab.machines is not None:
            of_clients, routing = self.server.domain.ingress, self.server.routing
            lab.machines.server(
                self.host,
                lambda: of_clients.messages + of_clients.presences + of_clients.iqs + routing.from_links,
            )
        self.is_ready = False
        """Clients can connect."""
        Deferred.fromCoroutine(self._start()).addErrback(self._on_not_started)

    def _ports(self) -> Ports:
        lab, (node, host, new_id, utc_s, chance) = self._lab, self._process
        recorded = self._attached.journal, self._utc_ns, new_id, lab.plan.sample_every, host, self._on_ignored
        tracer = (
            WatchfulTracer(node.name, *recorded)
            if lab.recording is None
            else FollowingTracer(node.name, *recorded, lab.recording)
        )
        turn = self.turn
        carriers = self._attached.carriers(turn, tracer)
        router: Router = carriers.router
        if node.takes_streams:
            self._s2s = s2s_router(self._process, lab.plan, turn, tracer, carriers)
            router = MixedRouter(router, self._s2s, reached(lab.plan, node))
        return Ports(
            host, utc_s, turn, new_id, new_salt=lambda: chance.randbytes(16), derive=derivation(host),
            store=carriers.store, router=router, nodes=carriers.nodes, tracer=tracer,
            fenced=lambda: lab.died(node.name),
        )  # fmt: skip

    def _on_ignored(self, error: Stanza) -> None:
        self._lab.on_ignored(error)

    async def _start(self) -> None:
        await self._attached.connect()
        await self.server.start()
        self.host.listenTCP(self.node.c2s_port, self.server.clients)
        if self._s2s is not None:
            self.host.listenTCP(self.node.s2s_port, self._s2s)
        if self.node.components:
            self.host.listenTCP(self.node.component_port, self.server.components)
        self.is_ready = True

    def _on_not_started(self, failure: Failure) -> None:
        if isinstance(failure.value, Unreachable | ConnectionLost):
            self._lab.died(self.node.name)
        else:
            Logger().failure("{node} did not start", failure, node=self.node.name)

    def crash(self) -> None:
        """End it as SIGKILL does."""
        self.host.crash()
        self._attached.crashed()

    def stop(self, then: Callable[[], None]) -> None:
        """End in an orderly way: refuse new clients, end the streams, and write what is queued."""
        self.is_ready = False
        self.host.stop_listening()
        Deferred.fromCoroutine(self.server.stop()).addBoth(lambda result: then())

    def read_links(self) -> None:
        """Read the links of the domain, in the place of a crashed node."""
        Deferred.fromCoroutine(self.server.routing.start())

    def left_over(self) -> list[str]:
        """What is left after all clients have disconnected; empty where all is well."""
        accounts = self.server.domain.accounts.online
        counts = {
            "client streams": len(self.server.clients.streams),
            "connections": self.host.connections_to(self.node.c2s_port),
            "sessions": sum(len(account.sessions) for account in accounts.values()),
            "accounts online": len(accounts),
            "busy routers over XML streams": self._s2s is not None and self._s2s.is_busy,
        }
        return [f"{self.node.name}: {int(count)} {what}" for what, count in counts.items() if count]
