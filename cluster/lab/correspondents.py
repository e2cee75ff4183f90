"""Who is behind the gateways of a lab: phones, mailboxes, and whoever else the kinds of its networks have."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from cluster.kinds.base.command import Ask
from cluster.lab.ask import ask
from cluster.lab.folder import LabFolder
from cluster.topology.plan import GatewayNode, NetworkNode, Plan
from cluster.xmpp.escaping import escape
from cluster.xmpp.jid import Jid


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


def behind_gateways(plan: Plan) -> list[Correspondent]:
    """All that a gateway of the lab leads to."""
    return [
        Correspondent(name, address, network, gateway)
        for gateway in plan.gateways
        for network in [plan.network(gateway.network)]
        for name, address in network.people.items()
    ]


def asking(folder: LabFolder, plan: Plan, network: NetworkNode) -> Ask:
    """Asks the network. It raises LabError."""
    return partial(ask, folder, plan, network)
