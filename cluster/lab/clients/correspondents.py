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
    """A user of a foreign network, and the gateway to it."""

    name: str
    """Its name in the topology, such as `fc1`; its command accepts this name."""
    address: str
    """Number or mail address."""
    network: NetworkNode
    gateway: GatewayNode

    @property
    def jid(self) -> Jid:
        """Its XMPP address."""
        return Jid(escape(self.address), self.gateway.domain)

    @property
    def command(self) -> str:
        """The command to act as it: `phone` or `mail`; empty: none."""
        return self.network.command.name if self.network.command else ""

    def person(self, folder: LabFolder, plan: Plan) -> Person:
        """Its side of the conversation. Its methods raise LabError."""
        return self.network.person_at(partial(ask, folder, plan, self.network), self.address)


def behind_gateways(plan: Plan) -> list[Correspondent]:
    """All users behind the gateways of the lab."""
    return [
        Correspondent(name, address, network, gateway)
        for gateway in plan.gateways
        for network in [plan.network(gateway.network)]
        for name, address in network.people.items()
    ]


def find_person(folder: LabFolder, plan: Plan, kind: type[N], wanted: str) -> Person:
    """A user of the networks of this kind, by name or address. Raises BadInput."""
    networks = [network for network in plan.networks if isinstance(network, kind)]
    known = [(network, name, address) for network in networks for name, address in network.people.items()]
    for network, name, address in known:
        if wanted in (name, address):
            return network.person_at(partial(ask, folder, plan, network), address)
    listed = ", ".join(f"{address} ({name})" for _, name, address in known)
    raise BadInput(f"no {kind.person} {wanted} in this lab ({kind.people_key}: {listed or 'none'})")
