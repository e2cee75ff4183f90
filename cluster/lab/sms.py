"""The SMS gateway and the lab's message centre, as nodes of a lab."""

from __future__ import annotations

import random
import time
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint

from cluster.components.connection import ComponentConnection
from cluster.components.runtime import GatewayRuntime
from cluster.gateways.sms.esme import Login
from cluster.gateways.sms.gateway import SmsGateway, SmsSettings
from cluster.gateways.sms.store import redis_sms_store
from cluster.lab.foreign import Surroundings
from cluster.lab.runtime.process import new_id
from cluster.networks.smsc.configuration import EsmeAccount, SmscSettings, Subscriber
from cluster.networks.smsc.smsc import Smsc
from cluster.topology.plan import GatewayNode, NetworkNode, Plan


def _login(plan: Plan, gateway: GatewayNode) -> Login:
    """Who a gateway is at its message centre: in the lab's own, its name and the beginning of its secret."""
    network = plan.network(gateway.network)
    if network.is_external:
        return Login(network.user, network.password)
    return Login(gateway.name[:15], gateway.secret[:8])  # as long as SMPP 3.4 allows (section 5.2)


class SmsPart:
    """An SMS gateway."""

    def __init__(self, node: GatewayNode, around: Surroundings) -> None:
        server = around.plan.server_named(node.server)
        network = around.plan.network(node.network)
        at_server: Any = TCP4ClientEndpoint(around.reactor, server.host, server.component_port)
        at_smsc: Any = TCP4ClientEndpoint(around.reactor, network.host, network.port)
        self._connection = ComponentConnection(
            around.reactor, at_server, node.domain, node.secret, around.tracer, random.random
        )
        self._gateway = SmsGateway(
            around.reactor,
            SmsSettings(node.domain, server.domain, node.number),
            at_smsc,
            _login(around.plan, node),
            redis_sms_store(around.client, around.keys, node.domain, time.time),
            self._connection.send,
            around.tracer,
            now_utc_s=time.time,
            new_id=new_id,
            jitter=random.random,
        )
        self._runtime = GatewayRuntime(self._connection, self._gateway)
        self._waits_for_smsc = not network.is_external
        self.administration = self

    async def status(self) -> dict[str, bool]:
        """Whether it is connected on both sides; a message centre that the lab does not run may come later."""
        joined, bound = self._connection.is_joined, self._gateway.bound
        return {"ready": joined and (bound or not self._waits_for_smsc), "joined": joined, "bound": bound}

    async def start(self) -> None:
        """Bind at the message centre, and join the server."""
        await self._gateway.start()
        self._runtime.start()

    async def stop(self) -> None:
        """Leave both."""
        await self._runtime.stop()
        await self._gateway.stop()


class SmscPart:
    """The lab's message centre."""

    def __init__(self, node: NetworkNode, around: Surroundings) -> None:
        esmes = tuple(
            EsmeAccount(login.system_id, login.password, (gateway.number,), gateway.name)
            for gateway in around.plan.gateways
            if gateway.network == node.name
            for login in [_login(around.plan, gateway)]
        )
        phones = tuple(Subscriber(number, name) for name, number in node.phones.items())
        self._endpoint: Any = TCP4ServerEndpoint(around.reactor, node.port, interface=node.host)  # type: ignore[no-untyped-call]
        self._smsc = Smsc(
            around.reactor, SmscSettings(node.name, phones, esmes), around.folder, around.tracer,
            now_utc_s=time.time, new_id=new_id, jitter=random.random,
        )  # fmt: skip
        self.administration = self._smsc.administration

    async def start(self) -> None:
        """Take gateways."""
        await self._smsc.start(self._endpoint)

    async def stop(self) -> None:
        """Disconnect everybody."""
        await self._smsc.stop()
