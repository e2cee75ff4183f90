"""The SMS gateway, wired: the program of its process."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint

from cluster.components.connection import ComponentConnection
from cluster.components.program import Address, NodeEnvironment
from cluster.components.runtime import GatewayRuntime
from cluster.gateways.sms.esme import Login
from cluster.gateways.sms.gateway import SmsGateway, SmsSettings
from cluster.gateways.sms.store import redis_sms_store


class SmsProgram:
    """An SMS gateway."""

    def __init__(
        self,
        around: NodeEnvironment,
        settings: SmsSettings,
        connection: ComponentConnection,
        at_smsc: Address,
        login: Login,
        *,
        waits_for_smsc: bool,
    ) -> None:
        """`waits_for_smsc`: not ready before it is bound there."""
        endpoint: Any = TCP4ClientEndpoint(around.reactor, *at_smsc)
        self._connection = connection
        self._gateway = SmsGateway(
            around.reactor,
            settings,
            endpoint,
            login,
            redis_sms_store(around.client, around.keys, settings.domain, around.now_utc_s),
            connection.send,
            around.tracer,
            now_utc_s=around.now_utc_s,
            new_id=around.new_id,
            jitter=around.jitter,
        )
        self._runtime = GatewayRuntime(connection, self._gateway)
        self._waits_for_smsc = waits_for_smsc
        self.administration = self

    async def status(self) -> dict[str, bool]:
        """Ready when it is connected on both sides; a message centre that is not of the lab may come later."""
        joined, bound = self._connection.is_joined, self._gateway.bound
        return {"ready": joined and (bound or not self._waits_for_smsc), "joined": joined, "bound": bound}

    async def start(self) -> None:
        """Bind at the message centre, and connect to the server."""
        await self._gateway.start()
        self._runtime.start()

    async def stop(self) -> None:
        """Disconnect from both."""
        await self._runtime.stop()
        await self._gateway.stop()
