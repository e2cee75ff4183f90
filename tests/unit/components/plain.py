"""A gateway to nowhere, for the tests of what all gateways share, and the network that it is in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred

from cluster.components.connection import ComponentConnection
from cluster.components.gateway import Gateway, Registrar, Service, contact_address
from cluster.components.runtime import GatewayRuntime
from cluster.trace.hop import Hop, Tracer
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from tests.components import MemoryEndpoint
from tests.network import MONTAGUE, Network

SMS, SECRET = "sms.montague.lit", "hush"
PHONE = f"+39333@{SMS}"


class Registrations:
    """As a `Registrar`, in memory."""

    instructions = "Your phone number, please."
    fields = ("phone",)
    required = True

    def __init__(self) -> None:
        self.by_user: dict[Jid, Mapping[str, str]] = {}

    async def users(self) -> list[Jid]:
        return [*self.by_user]

    async def find(self, user: Jid) -> Mapping[str, str] | None:
        return self.by_user.get(user)

    async def register(self, user: Jid, answers: Mapping[str, str]) -> None:
        if not answers["phone"].startswith("+"):
            raise StanzaError(Condition.NOT_ACCEPTABLE, "a phone number begins with +")
        self.by_user[user] = answers

    async def remove(self, user: Jid) -> None:
        del self.by_user[user]


class PlainGateway(Gateway):
    """Keeps what it is to translate."""

    service = Service("sms", "SMS", "Phone number", "Whom do you want to write to?", ("client", "sms"), ("urn:x",))

    def __init__(self, registrar: Registrar | None = None) -> None:
        self.registrar = registrar
        self.messages: list[Stanza] = []
        self.addresses: list[str] = []
        self.failure: Exception | None = None
        self.until: Deferred[None] | None = None

    def normal(self, address: str) -> str:
        spelled = address.replace(" ", "").replace("(0)", "")
        if not spelled.startswith("+"):
            raise StanzaError(Condition.ITEM_NOT_FOUND, f"{address} is not a phone number")
        return spelled

    async def on_message(self, message: Stanza) -> None:
        assert message.to is not None
        self.messages.append(message)
        self.addresses.append(contact_address(self, message.to))
        if self.until is not None:
            await self.until
        if self.failure is not None:
            raise self.failure


class GatewayNetwork(Network):
    """montague.lit with a gateway, and capulet.lit."""

    def __init__(self, registrar: Registrar | None = None, secret: str = SECRET) -> None:
        super().__init__(components={SMS: SECRET})
        self.hops: list[Hop] = []
        self.endpoint = MemoryEndpoint(self, MONTAGUE)
        self.gateway = PlainGateway(registrar)
        tracer = Tracer("g1", self.hops, lambda: 0, lambda: "", 0, self.clock)
        endpoint: Any = self.endpoint
        self.connection = ComponentConnection(self.clock, endpoint, SMS, secret, tracer, lambda: 1.0)
        self.runtime = GatewayRuntime(self.connection, self.gateway)

    def start(self) -> None:
        """The gateway's process begins."""
        self.runtime.start()
        self.settle()
