"""The composition root: the one place where a server is wired, from a configuration and ports."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.server.administration import Administration
from cluster.server.c2s import C2s, ClientStreams, stream_options
from cluster.server.component_stream import ComponentStreams
from cluster.server.config import Ports, ServerConfig
from cluster.server.domain import Domain
from cluster.server.relay import Relay
from cluster.server.remote_seats import RemoteSeats
from cluster.server.seats import Seats


@dataclass(frozen=True)
class Server:
    """One server, or one node of it. Who built it lets connections reach `clients` and `components`."""

    domain: Domain
    clients: ClientStreams
    """A factory of Twisted's: of client streams."""
    components: ComponentStreams
    """The same for components."""
    administration: Administration
    ports: Ports
    _relay: Relay

    async def start(self) -> None:
        """Accept stanzas from other domains, then work for the other nodes of this one."""
        await self.domain.start()
        await self.ports.nodes.start(self._relay)

    async def stop(self) -> None:
        """End the streams, and write what is queued."""
        self.components.shut_down()  # first, so that clients hear of what no component will get
        self.clients.shut_down()
        self._relay.shut_down()
        self.ports.turn.run()
        await self.ports.router.stop()
        await self.ports.nodes.stop()


def build(config: ServerConfig, ports: Ports) -> Server:
    """Wire a server; nothing happens before it is started."""
    domain = Domain(config, ports)
    remote = RemoteSeats(ports.nodes, ports.new_id)
    seats = Seats(domain, ports.nodes, ports.new_id, remote)
    options = stream_options(domain.context, config.tls, config.anonymous)
    shared = C2s(domain, seats, options, ports.clock, ports.new_id, config.starttls, config.certificate_hash)
    clients = ClientStreams(shared)
    return Server(
        domain,
        clients,
        ComponentStreams(domain, ports.clock, ports.turn, ports.new_id),
        Administration(domain, clients.streams),
        ports,
        Relay(ports.nodes, domain, seats, remote, ports.expelled),
    )
