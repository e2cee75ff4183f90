"""What builds the nodes of a plan, in a process and in the simulation."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.ssl import CertificateOptions

from cluster import modules, services
from cluster.components.program import NodeEnvironment, Program
from cluster.server.config import ServerConfig
from cluster.server.services.service import Service
from cluster.store.port import RosterItem
from cluster.topology.plan import AccountSeed, GatewayNode, NetworkNode, Plan, ServiceSeed, XmpplabServer
from cluster.xmpp.jid import Jid


def config(
    plan: Plan,
    node: XmpplabServer,
    served_by: Mapping[str, str],
    starttls: CertificateOptions | None,
    end_point: bytes,
) -> ServerConfig:
    """The configuration of a node.

    `served_by`: of the plan; `starttls`, `end_point`: its certificate, and the hash of it for channel binding.
    """
    first = plan.server_named(node.node_of) if node.node_of else node
    elsewhere = [seed.domain for seed in first.components] if node.node_of else ()
    return ServerConfig(
        node.domain, tuple(modules.load(node.modules)), node.tls, starttls, end_point,
        anonymous=node.anonymous, registration=node.registration,
        registrations_per_minute=node.registrations_per_minute, probes_per_minute=plan.probes_per_minute,
        strict=node.strict, admin=node.admin, limits=node.limits,
        components={seed.domain: seed.secret for seed in node.components},
        services={seed.domain: _service(seed) for seed in first.services},
        components_at=dict.fromkeys(elsewhere, node.node_of),
        served_by=served_by,
    )  # fmt: skip


def _service(seed: ServiceSeed) -> Service:
    [service] = services.load((seed.kind,))
    return service.with_settings(seed.settings)


def roster(seed: AccountSeed) -> list[RosterItem]:
    """The contacts that an account starts with."""
    return [
        RosterItem(Jid.parse(contact.jid), contact.name, tuple(contact.groups), subscription="both", listed=True)
        for contact in seed.contacts
    ]


def program(plan: Plan, node: GatewayNode | NetworkNode, environment: NodeEnvironment) -> Program:
    """The program of a gateway or of a foreign network."""
    if isinstance(node, NetworkNode):
        return node.program(environment, [gateway for gateway in plan.gateways if gateway.network == node.name])
    return node.program(environment, plan.server_named(node.server), plan.network(node.network))
