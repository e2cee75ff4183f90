"""The streams of a simulated server with those of other domains (RFC 6120), over the simulated network.

The code is that of a lab. TLS is modelled: each side has a certificate for its own domains, which the other one
trusts. The addresses of domains are a table, in place of DNS.
"""

from __future__ import annotations

from collections.abc import Sequence

from cluster.base.turn import Turn
from cluster.lab.s2s import reached
from cluster.router.s2s.ports import Address, Names, S2sPorts, tcp
from cluster.router.s2s.router import S2sRouter
from cluster.simulation.backbone import Carriers, Process
from cluster.topology.plan import Plan, XmpplabServer
from cluster.trace.hop import Tracer
from cluster.virtual.tls import Handle
from cluster.xmpp.streams.servers.certificate import NO_CERTIFICATE, PeerCertificate


class ModelledTls:
    """A `ServerTls` for the simulated network: a certificate is what the other end starts TLS with."""

    def __init__(self, domains: Sequence[str]) -> None:
        """`domains`: of the certificate."""
        self.receiving = PeerCertificate(tuple(domains))

    def initiating(self, domain: str, *, direct: bool) -> PeerCertificate:
        """See `ServerTls`."""
        return self.receiving

    def certificate_of(self, connection: Handle) -> PeerCertificate:
        """See `ServerTls`."""
        shown = connection.of_peer
        return shown if isinstance(shown, PeerCertificate) else NO_CERTIFICATE


def s2s_router(process: Process, plan: Plan, turn: Turn, tracer: Tracer, carriers: Carriers) -> S2sRouter:
    """For a node that speaks with other servers over XML streams."""
    node, host, new_id, _, chance = process

    async def secret() -> str:
        return (await carriers.store.secrets.get("dialback", chance.randbytes(32).hex().encode())).decode()

    components = [domain for domain, server in plan.served_by.items() if server == node.domain]
    ports = S2sPorts(
        (node.domain, *components), host, turn, new_id, _table(plan, node), tcp(host), secret, carriers.faults, tracer,
        carriers.counts, node.tls, None if node.tls == "off" else ModelledTls(node.domains), plan.served_by,
        plan.max_backlog, reached(plan, node), frozenset(each.domain for each in plan.ours),
        frozenset(node.bidirectional), chance.random,
    )  # fmt: skip
    return S2sRouter(ports)


def _table(plan: Plan, node: XmpplabServer) -> Names:
    """Its peers at the hosts that are named like their nodes; without the ports for direct TLS, which is not
    modelled."""
    hosts = {(each.host, each.s2s_port): each.name for each in plan.ours}
    known: dict[str, list[Address]] = {}
    for peer in node.s2s_peers:
        if not peer.direct_tls:
            known.setdefault(peer.domain, []).append(Address(hosts[peer.host, peer.port], peer.port))

    async def look_up(domain: str) -> Sequence[Address]:
        return known.get(domain, ())

    return look_up
