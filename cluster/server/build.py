"""The composition root: the one place where a server is wired, from a configuration and ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.server.administration import Administration
from cluster.server.c2s.client_streams import C2s, ClientStreams, stream_options
from cluster.server.components.component import Component
from cluster.server.components.component_stream import ComponentStreams
from cluster.server.config import Ports, ServerConfig
from cluster.server.domain import Domain
from cluster.server.nodes.broker import NodeBroker
from cluster.server.nodes.remote_sessions import RemoteSessions
from cluster.server.routing import LocalService, Routing
from cluster.server.services.hosted import HostedService
from cluster.server.services.placed import PlacedService
from cluster.server.sessions.binder import SessionBinder
from cluster.streams.tls_layer import starter


@dataclass(frozen=True)
class Server:
    """One server, or one node of a domain. Its builder connects `clients` and `components` to ports."""

    domain: Domain
    routing: Routing
    clients: ClientStreams
    """A factory of Twisted for client streams."""
    components: ComponentStreams
    """The factory for components."""
    administration: Administration
    ports: Ports
    _relay: NodeBroker
    _hosted: Sequence[PlacedService]

    async def start(self) -> None:
        """Accept stanzas from other domains, then work for the other nodes of this domain."""
        await self.routing.start()
        await self.ports.nodes.start(self._relay)
        for service in self._hosted:
            await service.start()

    async def stop(self) -> None:
        """End the streams, and write what is queued."""
        self.components.shut_down()  # first, so that clients hear of stanzas that no component will get
        for service in self._hosted:
            service.stop()  # while clients can be told
        self.clients.shut_down()
        self._relay.shut_down()
        self.ports.turn.run_all()
        await self.ports.router.stop()
        await self.ports.nodes.stop()


def build(config: ServerConfig, ports: Ports) -> Server:
    """Wire a server; nothing happens before it is started."""
    routing = Routing(config, ports)
    domain = Domain(config, ports, routing)
    components = {name: Component(name, secret, ports, routing) for name, secret in config.components.items()}
    services = [HostedService(name, config, ports, routing) for name in config.services]
    hosted = [PlacedService(each, ports, routing) for each in services]
    routing.add_accounts(domain.delivery)
    local: tuple[LocalService, ...] = (*components.values(), *hosted)
    for each in local:
        routing.add(each)
    remote = RemoteSessions(ports.nodes, ports.new_id)
    binder = SessionBinder(domain, ports.nodes, ports.new_id, remote)
    options = stream_options(domain.context, config.tls, config.anonymous)
    start_tls = starter(config.starttls, ports.clock)
    shared = C2s(domain, binder, options, ports.clock, ports.new_id, start_tls, config.certificate_hash)
    clients = ClientStreams(shared)
    return Server(
        domain,
        routing,
        clients,
        ComponentStreams(config.domain, components, domain.ingress, ports),
        Administration(domain, components, clients.streams),
        ports,
        NodeBroker(ports.nodes, domain, hosted, binder, remote, ports.fenced),
        hosted,
    )
