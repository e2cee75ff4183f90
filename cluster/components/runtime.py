"""The part that all gateways share: stanzas from the server go to the gateway's own part, or to the common answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base import reasons
from cluster.base.settled import Settled, until_settled
from cluster.components import answers, presence
from cluster.components.connection import ComponentConnection, NotCarried, Overloaded
from cluster.components.gateway import Gateway, GatewayContext
from cluster.components.registration import registration
from cluster.host import iq
from cluster.host.module import Module
from cluster.host.module_host import ModuleHost
from cluster.host.unavailable import refusal
from cluster.trace.hop import Event
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza


class GatewayRuntime:
    """Runs one gateway as a component of its server."""

    _log = Logger()

    def __init__(self, connection: ComponentConnection, gateway: Gateway) -> None:
        modules: list[Module[GatewayContext]] = [*answers.GENERAL]
        if gateway.registrar is not None:
            modules.append(registration)
        self._connection = connection
        self._gateway = gateway
        self._clock = connection.clock
        self._started_s = 0.0
        self._ctx = GatewayContext(
            connection.domain, gateway, ModuleHost(modules), self._send, self._soon,
            lambda: float(self._clock.seconds() - self._started_s),
        )  # fmt: skip
        self._iq = iq.IqDispatch(self._ctx.host, self._send)

    def start(self) -> None:
        """Connect, and reconnect from then on."""
        self._started_s = self._clock.seconds()
        self._connection.start(self.take, lambda: self._soon(lambda: presence.broadcast(self._ctx, None)))

    async def stop(self) -> None:
        """Say goodbye to the users and to the server."""
        if self._connection.is_joined:
            await presence.broadcast(self._ctx, "unavailable")
        await self._connection.stop()

    def take(self, stanza: Stanza) -> Settled:
        """Handle a stanza from the server. It has settled when the gateway has done what it can."""
        return Deferred.fromCoroutine(self._take(stanza))

    async def _take(self, stanza: Stanza) -> None:
        try:
            match stanza.kind:
                case "message":
                    await self._take_message(stanza)
                case "presence":
                    await presence.on_presence(self._ctx, stanza)
                case "iq":
                    await self._take_iq(stanza)
        except Exception as error:  # whatever failed, the sender is told
            self._refuse(stanza, error)

    async def _take_message(self, message: Stanza) -> None:
        assert message.to is not None
        assert message.from_ is not None
        if message.may_be_answered_with_error:
            if not message.to.localpart:
                text = f"the gateway itself reads no messages: write to <address>@{self._ctx.domain}"
                raise StanzaError(Condition.SERVICE_UNAVAILABLE, text)
            await presence.check_registered(self._ctx, message.from_)
        await self._gateway.on_message(message)

    async def _take_iq(self, request: Stanza) -> None:
        assert request.to is not None
        await until_settled(self._iq.handle(self._ctx, request, "account" if request.to.localpart else "domain"))

    def _refuse(self, stanza: Stanza, error: Exception) -> None:
        """Turn an exception of a handler of messages or presence into an error stanza."""
        refused = refusal(error)
        if refused is None:
            self._log.failure("a {kind} to {to} failed", kind=stanza.kind, to=str(stanza.to))
            refused = StanzaError(Condition.INTERNAL_SERVER_ERROR, reason=reasons.INTERNAL_ERROR)
        reason = refused.reason or reasons.REFUSED
        self._connection.tracer.record(Event.BOUNCED, stanza, refused.with_cause, reason=reason)
        if stanza.may_be_answered_with_error:
            self._send(stanza.error(refused))

    def _send(self, stanza: Stanza) -> Settled:
        """Send an answer; it may be dropped when too many stanzas wait for the server."""
        try:
            return self._connection.send(stanza)
        except (Overloaded, NotCarried) as error:
            self._log.warn("dropped a {kind} to {to}: {error}", kind=stanza.kind, to=str(stanza.to), error=str(error))
            self._connection.tracer.record(Event.DROPPED, stanza, str(error))
            return None

    def _soon(self, act: Callable[[], Awaitable[None]]) -> None:
        self._clock.callLater(0, self._act, act)

    def _act(self, act: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await act()

        Deferred.fromCoroutine(run()).addErrback(lambda failure: self._log.failure("a gateway's task failed", failure))
