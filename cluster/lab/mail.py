"""The mail gateway and the lab's mail host, as nodes of a lab."""

from __future__ import annotations

import random
import time
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.ssl import optionsForClientTLS

from cluster.components.connection import ComponentConnection
from cluster.components.runtime import GatewayRuntime
from cluster.gateways.mail.configuration import MailSettings
from cluster.gateways.mail.redis import RedisLedger, RedisSpool
from cluster.gateways.mail.service import MailService
from cluster.lab.foreign import Surroundings
from cluster.lab.runtime.process import new_id
from cluster.networks.mailhost.configuration import MailboxSettings, MailHostSettings
from cluster.networks.mailhost.mailhost import LabMailHost
from cluster.protocols.mime.address import domain_of, normal
from cluster.protocols.smtp.relay import Relay
from cluster.protocols.smtp.settings import RelaySettings
from cluster.topology.plan import GatewayNode, NetworkNode
from cluster.xmpp.jid import Jid


class MailPart:
    """A mail gateway."""

    def __init__(self, node: GatewayNode, around: Surroundings) -> None:
        server = around.plan.server_named(node.server)
        at_server: Any = TCP4ClientEndpoint(around.reactor, server.host, server.component_port)
        self._connection = ComponentConnection(
            around.reactor, at_server, node.domain, node.secret, around.tracer, random.random
        )
        self._service = MailService(
            around.reactor,
            MailSettings(node.name, node.domain, node.mail_domains, _aliases(node)),
            _relay(around.plan.network(node.network), node.domain, around.reactor),
            RedisSpool(around.client, around.keys, node.domain),
            RedisLedger(around.client, around.keys, node.domain, time.time),
            self._connection.send,
            around.tracer,
            now_utc_s=time.time,
            new_id=new_id,
            jitter=random.random,
        )
        self._runtime = GatewayRuntime(self._connection, self._service.gateway)
        self._endpoint: Any = TCP4ServerEndpoint(around.reactor, node.port, interface=node.host)  # type: ignore[no-untyped-call]
        self.administration = self

    async def status(self) -> dict[str, bool]:
        """Whether it is connected to its server."""
        return {"ready": self._connection.is_joined}

    async def start(self) -> None:
        """Take mail, and join the server."""
        await self._service.start(self._endpoint)
        self._runtime.start()

    async def stop(self) -> None:
        """Leave both."""
        await self._service.stop()
        await self._runtime.stop()


def _aliases(node: GatewayNode) -> tuple[tuple[str, Jid], ...]:
    return tuple((normal(address), Jid.parse(account)) for address, account in node.aliases.items())


def _relay(network: NetworkNode, identity: str, reactor: Any) -> Relay:
    """The way to the mail host: the lab's own, or a real one by its name."""
    settings = RelaySettings(network.host, network.user, network.password, network.starttls)
    if not network.is_external:
        return Relay(reactor, TCP4ClientEndpoint(reactor, network.host, network.port), settings, identity)
    endpoint: Any = HostnameEndpoint(reactor, network.host, network.port)
    tls = optionsForClientTLS(network.host) if network.starttls else None
    return Relay(reactor, endpoint, settings, identity, tls)


class MailHostPart:
    """The lab's mail host."""

    def __init__(self, node: NetworkNode, around: Surroundings) -> None:
        mailboxes = tuple(MailboxSettings(address, name) for name, address in node.mailboxes.items())
        domain = mailboxes[0].address.rpartition("@")[2] if mailboxes else node.name
        settings = MailHostSettings(node.name, f"mx.{domain}", mailboxes)
        routes: dict[str, Relay] = {}
        for gateway in around.plan.gateways:
            if gateway.network == node.name:
                at_gateway = TCP4ClientEndpoint(around.reactor, gateway.host, gateway.port)
                relay = Relay(around.reactor, at_gateway, RelaySettings(gateway.host), settings.host_name)
                further = [domain_of(address) for address, _ in _aliases(gateway)]
                routes |= dict.fromkeys([gateway.domain, *gateway.mail_domains, *further], relay)
        self._host = LabMailHost(
            around.reactor, settings, routes, around.folder, around.tracer,
            now_utc_s=time.time, new_id=new_id, jitter=random.random,
        )  # fmt: skip
        self._endpoint: Any = TCP4ServerEndpoint(around.reactor, node.port, interface=node.host)  # type: ignore[no-untyped-call]
        self.administration = self._host.administration

    async def start(self) -> None:
        """Take mail."""
        await self._host.start(self._endpoint)

    async def stop(self) -> None:
        """Take no more."""
        await self._host.stop()
