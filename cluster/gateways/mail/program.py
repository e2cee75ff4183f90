"""The mail gateway: the program of its process."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.ssl import optionsForClientTLS

from cluster.components.connection import ComponentConnection
from cluster.components.program import Address, NodeEnvironment
from cluster.components.runtime import GatewayRuntime
from cluster.gateways.mail.configuration import MailSettings
from cluster.gateways.mail.redis import RedisLedger, RedisSpool
from cluster.gateways.mail.service import MailService
from cluster.protocols.smtp.relay import Relay
from cluster.protocols.smtp.settings import RelaySettings


class MailProgram:
    """A mail gateway."""

    def __init__(
        self,
        around: NodeEnvironment,
        settings: MailSettings,
        connection: ComponentConnection,
        relay: Relay,
        listens_at: Address,
    ) -> None:
        self._connection = connection
        self._service = MailService(
            around.reactor,
            settings,
            relay,
            RedisSpool(around.client, around.keys, settings.domain),
            RedisLedger(around.client, around.keys, settings.domain, around.now_utc_s),
            connection.send,
            around.tracer,
            now_utc_s=around.now_utc_s,
            new_id=around.new_id,
            jitter=around.jitter,
        )
        self._runtime = GatewayRuntime(connection, self._service.gateway)
        host, port = listens_at
        self._endpoint: Any = TCP4ServerEndpoint(around.reactor, port, interface=host)
        self.administration = self

    async def status(self) -> dict[str, bool]:
        """Ready when the gateway is connected to its server."""
        return {"ready": self._connection.is_joined}

    async def start(self) -> None:
        """Listen for mail, and connect to the server."""
        await self._service.start(self._endpoint)
        self._runtime.start()

    async def stop(self) -> None:
        """Stop listening, and disconnect."""
        await self._service.stop()
        await self._runtime.stop()


def lab_relay(reactor: Any, at: Address, identity: str) -> Relay:
    """The relay to a host of the lab."""
    return Relay(reactor, TCP4ClientEndpoint(reactor, *at), RelaySettings(at[0]), identity)


def real_relay(reactor: Any, settings: RelaySettings, port: int, identity: str) -> Relay:
    """The relay to a real host, by its name."""
    endpoint: Any = HostnameEndpoint(reactor, settings.host, port)
    tls = optionsForClientTLS(settings.host) if settings.starttls else None
    return Relay(reactor, endpoint, settings, identity, tls)
