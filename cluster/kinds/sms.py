"""`sms`: a gateway to a message centre, by SMPP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from typing_extensions import override

from cluster.kinds.base.gateway import GatewayNode
from cluster.kinds.base.key import Key
from cluster.kinds.base.network import NetworkNode
from cluster.kinds.base.server import ServerNode
from cluster.kinds.base.values import Text

if TYPE_CHECKING:
    from cluster.components.program import NodeEnvironment, Program

USUAL_NUMBER = "2345"
SMPP_USER, SMPP_PASSWORD = 15, 8
"""Maximum octets of a system_id and of its password (SMPP 3.4 sections 5.2.1 and 5.2.2)."""

_SENDER = r"^(\+[1-9][0-9]{6,14}|[0-9]{2,20})$"
"""A short code too; an SMPP address has at most 20 digits (SMPP 3.4 section 5.2.8)."""


def _sender(text: str) -> str:
    if not re.fullmatch(_SENDER, text):
        rule = "write a short code of 2 to 20 digits, like '2345', or a number like '+393331234567'"
        raise ValueError(f"{text!r} is not a number that phones can write to; {rule}")
    return text


class SmsGateway(GatewayNode, frozen=True, kw_only=True, tag_field="kind", tag="sms"):
    """Phone numbers as XMPP addresses."""

    number: str = USUAL_NUMBER
    """The short code that phones see."""

    about = "A gateway to a message centre, which speaks SMPP: phones as XMPP addresses."
    keys = (
        Key(
            "number",
            Annotated[str, Text(_sender, _SENDER)],
            "The short code that phones see and write to.",
            USUAL_NUMBER,
        ),
    )
    network_kind = "smsc"

    def login(self, network: NetworkNode) -> tuple[str, str]:
        """Its login at the message centre: at the lab's own, its name and the beginning of its secret."""
        if network.is_external:
            return network.user, network.password
        return self.name[:SMPP_USER], self.secret[:SMPP_PASSWORD]

    @override
    def program(self, environment: NodeEnvironment, server: ServerNode, network: NetworkNode) -> Program:
        from cluster.gateways.sms.esme import Login
        from cluster.gateways.sms.gateway import SmsSettings
        from cluster.gateways.sms.program import SmsProgram

        return SmsProgram(
            environment,
            SmsSettings(self.domain, server.domain, self.number),
            environment.component((server.host, server.component_port), self.domain, self.secret),
            (network.host, network.port),
            Login(*self.login(network)),
            waits_for_smsc=not network.is_external,
        )

    @override
    def trouble(self, status: Mapping[str, Any], network: NetworkNode) -> str:
        if status.get("bound", True):
            return ""
        where = f"the message centre {network.host}:{network.port}"
        return f"is not bound at {where} and keeps trying; see `xmpplab logs {self.name}`"


kind = SmsGateway
