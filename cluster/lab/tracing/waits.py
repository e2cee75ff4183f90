"""Why a probe is not at its end: what is known to be wrong on the rest of its way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from copy import copy

from cluster.lab.control.ask import ask
from cluster.lab.driver import driver_of
from cluster.lab.errors import LabError
from cluster.lab.faults import links_with_faults
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.redis_client import connected
from cluster.lab.state import State
from cluster.networks.faults import in_words
from cluster.networks.requests import FaultLs
from cluster.router.port import QUEUE as ROUTER
from cluster.topology.plan import NetworkNode, Plan, ServerNode, XmpplabServer
from cluster.trace.hop import Hop
from cluster.xmpp.jid import Jid

REDIS = "redis"
PATIENCE_S = 0.5
"""A part that does not answer within this is slow enough to be told of."""


class Waits:
    """The way of the messages from one address to another, and what is wrong on it."""

    def __init__(self, folder: LabFolder, plan: Plan, sender: ServerNode, to: Jid) -> None:
        self._folder = folder
        self._plan = plan
        self._sender = sender
        domain = plan.served_by.get(to.domainpart, to.domainpart)
        self._receivers = [server for server in plan.servers if server.domain == domain]
        self._domains = (sender.domain, domain)
        gateway = next((each for each in plan.gateways if each.domain == to.domainpart), None)
        self._network: NetworkNode | None = None
        self._way = [(sender.name,), (ROUTER,), tuple(server.name for server in self._receivers)]
        if sender.domain == domain:
            self._way.remove((ROUTER,))
        if gateway is not None:
            network = plan.network(gateway.network)
            self._way.append((gateway.name,))
            if not network.is_external:
                self._network = network
                self._way.append((network.name, *network.people))

    def back(self) -> Waits:
        """The way of an answer."""
        back = copy(self)
        back._way, back._domains = self._way[::-1], self._domains[::-1]
        return back

    def check(self) -> None:
        """Raises LabError where a probe cannot even be sent, or no hop of it be read."""
        if reasons := self._stopped((self._sender.name,)):
            raise LabError(f"cannot send a probe: {'; '.join(reasons)}")

    def stopped_receivers(self) -> list[str]:
        """The nodes of the receiver's domain at which nobody can log in."""
        states = self._states()
        return [node.name for node in self._receivers if states.get(node.name) != "running"]

    def why(self, hops: Sequence[Hop]) -> str:
        """Where a message with these hops waits, and why: `in the router: s2 is paused`; empty: nothing is known."""
        last = hops[-1].node if hops else self._sender.name
        reached = next((number for number, nodes in enumerate(self._way) if last in nodes), 0)  # 0: at the sender
        ahead = [name for nodes in self._way[reached:] for name in nodes]
        reasons = self._stopped(ahead)
        with suppress(LabError):  # else it is among the reasons already
            if ROUTER in ahead:
                reasons += self._link_faults()
            if self._network is not None and self._network.name in ahead:
                reasons += self._network_faults(self._network)
        if not reasons and last == ROUTER:
            reasons = [
                f"{each.name} is of kind {each.kind}, which records no hops"
                for each in self._receivers
                if not isinstance(each, XmpplabServer)
            ]
        where = "in the router" if last == ROUTER else f"at {last}"
        return f"{where}: {'; '.join(reasons)}" if reasons else ""

    def _states(self) -> dict[str, State]:
        return {node.name: node.state for node in driver_of(self._folder).status()}

    def _stopped(self, names: Sequence[str]) -> list[str]:
        states = self._states()
        not_running = {name: state for name in (REDIS, *names) if (state := states.get(name, "running")) != "running"}
        reasons = [
            f"{name} is {state}" + (f" (`xmpplab resume {name}`)" if state == "paused" else "")
            for name, state in not_running.items()
        ]
        if REDIS not in not_running and not self._redis_answers():
            reasons.append(f"Redis does not answer within {PATIENCE_S:g} s")
        return reasons

    def _redis_answers(self) -> bool:
        url = self._folder.secrets()[ADMIN]  # outside: a lab that is down names its remedy
        with suppress(LabError), connected(url, PATIENCE_S) as redis:
            return bool(redis.ping())
        return False

    def _link_faults(self) -> list[str]:
        with connected(self._folder.secrets()[ADMIN], PATIENCE_S) as redis:
            links = links_with_faults(redis, self._plan)
        return [
            f"the link {link.from_} → {link.to} has a fault: "
            + ", ".join(f"{key} {value}" for key, value in link.faults.items())
            for link in links
            if (link.from_domain, link.to_domain) == self._domains and link.faults
        ]

    def _network_faults(self, network: NetworkNode) -> list[str]:
        faults = ask(self._folder, self._plan, network, FaultLs(), PATIENCE_S)
        return [f"{network.name} has a fault: {in_words(faults)}"] if faults else []
