"""Why a probe has not arrived: the known problems on the rest of its route."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from copy import copy

from cluster.base import reasons
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
from cluster.trace.why import Cause
from cluster.xmpp.jid import Jid

REDIS = "redis"
PATIENCE_S = 0.5
"""A node that does not answer within this is reported."""


class Waits:
    """The route of messages from one address to another, and the problems on it."""

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
        """The same for an answer."""
        back = copy(self)
        back._way, back._domains = self._way[::-1], self._domains[::-1]
        return back

    def check(self) -> None:
        """Raises LabError if a probe cannot even be sent, or none of its hops be read."""
        if causes := self._stopped((self._sender.name,)):
            raise LabError(f"cannot send a probe: {'; '.join(cause.detail for cause in causes)}")

    def stopped_receivers(self) -> list[str]:
        """The nodes of the receiver's domain that accept no logins."""
        states = self._states()
        return [node.name for node in self._receivers if states.get(node.name) != "running"]

    def why(self, hops: Sequence[Hop]) -> str:
        """Where a message with these hops waits, and why: `in the router: s2 is paused`; empty: not known."""
        causes = self.causes(hops)
        last = self._last(hops)
        where = "in the router" if last == ROUTER else f"at {last}"
        return f"{where}: {'; '.join(cause.detail for cause in causes)}" if causes else ""

    def causes(self, hops: Sequence[Hop]) -> list[Cause]:
        """The known problems on the rest of the route of a message with these hops."""
        last = self._last(hops)
        reached = next((number for number, nodes in enumerate(self._way) if last in nodes), 0)  # 0: at the sender
        ahead = [name for nodes in self._way[reached:] for name in nodes]
        causes = self._stopped(ahead)
        with suppress(LabError):  # otherwise it is among the causes already
            if ROUTER in ahead:
                causes += self._link_faults()
            if self._network is not None and self._network.name in ahead:
                causes += self._network_faults(self._network)
        if not causes and last == ROUTER:
            causes = [
                Cause(reasons.FOREIGN_SERVER, f"{each.name} is of kind {each.kind}, which records no hops")
                for each in self._receivers
                if not isinstance(each, XmpplabServer)
            ]
        return causes

    def _last(self, hops: Sequence[Hop]) -> str:
        return hops[-1].node if hops else self._sender.name

    def _states(self) -> dict[str, State]:
        return {node.name: node.state for node in driver_of(self._folder).status()}

    def _stopped(self, names: Sequence[str]) -> list[Cause]:
        states = self._states()
        not_running = {name: state for name in (REDIS, *names) if (state := states.get(name, "running")) != "running"}
        causes = [_not_running(name, state) for name, state in not_running.items()]
        if REDIS not in not_running and not self._redis_answers():
            causes.append(Cause(reasons.REDIS_AWAY, f"Redis does not answer within {PATIENCE_S:g} s"))
        return causes

    def _redis_answers(self) -> bool:
        url = self._folder.secrets()[ADMIN]  # outside: a lab that is down has its own remedy
        with suppress(LabError), connected(url, PATIENCE_S) as redis:
            return bool(redis.ping())
        return False

    def _link_faults(self) -> list[Cause]:
        with connected(self._folder.secrets()[ADMIN], PATIENCE_S) as redis:
            links = links_with_faults(redis, self._plan)
        return [
            Cause(
                reasons.LINK_PARTITIONED if "down" in link.faults else reasons.LINK_FAULT,
                f"the link {link.from_} → {link.to} has a fault: "
                + ", ".join(f"{key} {value}" for key, value in link.faults.items()),
            )
            for link in links
            if (link.from_domain, link.to_domain) == self._domains and link.faults
        ]

    def _network_faults(self, network: NetworkNode) -> list[Cause]:
        faults = ask(self._folder, self._plan, network, FaultLs(), PATIENCE_S)
        return [Cause(reasons.NETWORK_FAULT, f"{network.name} has a fault: {in_words(faults)}")] if faults else []


def _not_running(name: str, state: State) -> Cause:
    if state == "paused":
        return Cause(reasons.NODE_PAUSED, f"{name} is paused (`xmpplab resume {name}`)")
    return Cause(reasons.REDIS_AWAY if name == REDIS else reasons.NODE_STOPPED, f"{name} is {state}")
