"""Our own gateway runtime in a process of its own, with a foreign network that echoes: see slixmpp_component.py."""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet import reactor  # noqa: TID251  # an entry point
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from cluster.components.connection import ComponentConnection
from cluster.components.gateway import Gateway, Service
from cluster.components.runtime import GatewayRuntime
from cluster.trace.hop import Hop, Tracer
from cluster.xmpp.element import Element
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, make

running: Any = reactor


def report(**what: Any) -> None:
    print(json.dumps(what), flush=True)


class Nowhere:
    """As a `Journal`."""

    def append(self, hop: Hop) -> None:
        pass


class Echo(Gateway):
    service = Service("sms", "echo", "Address", "Whom?", ("client", "sms"))

    def __init__(self, connection: ComponentConnection) -> None:
        self._connection = connection

    def normal(self, address: str) -> str:
        return address

    async def on_message(self, message: Stanza) -> None:
        body = message.tree.findtext(f"{{{CLIENT}}}body") or ""
        report(event="message", body=body, type=message.type or "normal", **{"from": str(message.from_)})
        if message.may_be_answered_with_error:
            echo = Element(f"{{{CLIENT}}}body")
            echo.text = f"echo {body}"
            reply = make("message", from_=message.to, to=message.from_, type=message.type, payload=[echo])
            self._connection.send(reply)


class Reported(ComponentConnection):
    def joined(self, protocol: Any) -> None:
        report(event="session")
        super().joined(protocol)

    def left(self, protocol: Any, reason: str) -> None:
        report(event="disconnected", condition=reason.partition(":")[0])
        super().left(protocol, reason)


class StopAtEnd(Protocol):
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        Deferred.fromCoroutine(runtime.stop()).addBoth(lambda _: running.stop())


domain, secret, host, port = sys.argv[1:]
endpoint: Any = TCP4ClientEndpoint(running, host, int(port))
tracer = Tracer("g1", Nowhere(), lambda: 0, lambda: "", 0, running)
connection = Reported(running, endpoint, domain, secret, tracer, lambda: 0.0)
runtime = GatewayRuntime(connection, Echo(connection))
runtime.start()
StandardIO(StopAtEnd())
running.run()
