"""The users of a lab's foreign networks, such as phones and mailboxes."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, TypeVar

from cluster.lab.control.ask import ask
from cluster.lab.errors import BadInput
from cluster.lab.folder import LabFolder
from cluster.networks.person import Person
from cluster.topology.plan import GatewayNode, NetworkNode, Plan
from cluster.xmpp.extensions.escaping import escape
from cluster.xmpp.jid import Jid

N = TypeVar("N", bound=NetworkNode)


class Correspondent(NamedTuple):
    """One of the people of a network, and the gateway before it."""

    name: str
    """What the topology calls it, such as `fc1`; the command that uses it knows it by this name, too."""
    address: str
    """Number or mail address."""
    network: NetworkNode
    gateway: GatewayNode

    @property
    def jid(self) -> Jid:
        """As XMPP knows it."""
        return Jid(escape(self.address), self.gateway.domain)

    @property
    def command(self) -> str:
        """By which one is it: `phone` or `mail`; empty: none."""
        return self.network.command.name if self.network.command else ""

    def person(self, folder: LabFolder, plan: Plan) -> Person:
        """What it reads and writes. Asking raises LabError."""
        return self.network.person_at(partial(ask, folder, plan, self.network), self.address)


def behind_gateways(plan: Plan) -> list[Correspondent]:
    """All that a gateway of the lab leads to."""
    return [
        Correspondent(name, address, network, gateway)
        for gateway in plan.gateways
        for network in [plan.network(gateway.network)]
        for name, address in network.people.items()
    ]


def find_person(folder: LabFolder, plan: Plan, kind: type[N], wanted: str) -> Person:
    """One of the people of the networks of this kind, by name or address. Raises BadInput."""
    networks = [network for network in plan.networks if isinstance(network, kind)]
    known = [(network, name, address) for network in networks for name, address in network.people.items()]
    for network, name, address in known:
        if wanted in (name, address):
            return network.person_at(partial(ask, folder, plan, network), address)
    listed = ", ".join(f"{address} ({name})" for _, name, address in known)
    raise BadInput(f"no {kind.person} {wanted} in this lab ({kind.people_key}: {listed or 'none'})")
