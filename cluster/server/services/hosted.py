"""A declared service at its address: hands its handlers what comes, and sends back what they cannot take."""

from __future__ import annotations

from dataclasses import replace

from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.settled import Settled
from cluster.base.storage import is_away
from cluster.host.disco import INFO, ITEMS, add_page, describe
from cluster.host.iq import IqDispatch, check
from cluster.host.module_host import ModuleHost
from cluster.server.config import Ports, ServerConfig
from cluster.server.routing import Routing
from cluster.server.services.service import ServiceContext, ServiceModule
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import rsm
from cluster.xmpp.stanza import Stanza


class HostedService:
    """A `LocalService` that lives in this server."""

    _log = Logger()

    def __init__(self, domain: str, config: ServerConfig, ports: Ports, routing: Routing) -> None:
        self.domain = domain
        self._routing = routing
        service = config.services[domain]
        host = ModuleHost((disco, *service.modules))
        self._ctx = ServiceContext(
            domain, config.domain, service, host, routing.route, ports.new_id, ports.now_utc_s,
            clock=ports.clock, turn=ports.turn, store=ports.store, limits=config.limits, tracer=ports.tracer,
        )  # fmt: skip
        self._requests = IqDispatch(host, routing.route, bounce=routing.bounce)

    async def load(self) -> None:
        """Read what is stored, before the first stanza is handled. A further call begins anew."""
        self._ctx.state.clear()
        if self._ctx.service.start_handler is not None:
            await self._ctx.service.start_handler(self._ctx)

    def ready(self) -> None:
        """The service is served from now on: stanzas can be sent."""
        if self._ctx.service.ready_handler is not None:
            self._ctx.service.ready_handler(self._ctx)

    def stop(self) -> None:
        """The server stops: stanzas can still be sent."""
        if self._ctx.service.stop_handler is not None:
            self._ctx.service.stop_handler(self._ctx)

    def deliver(self, stanza: Stanza, place: str) -> Settled:
        """Run its handler; where that fails, the stanza is returned to its sender."""
        try:
            settled = self._take(stanza, place)
        except Exception:
            return self._routing.not_delivered(Failure(), stanza)
        return settled.addErrback(self._not_taken, stanza, place) if settled is not None else None

    def _not_taken(self, failure: Failure, stanza: Stanza, place: str) -> Settled | Failure:
        """What came over a link is read again where the storage is away."""
        return failure if place and is_away(failure.value) else self._routing.not_delivered(failure, stanza)

    def _take(self, stanza: Stanza, place: str) -> Settled:
        assert stanza.to is not None
        service = self._ctx.service
        if stanza.kind == "iq":
            if stanza.to.resourcepart and service.iq_handler is not None:
                check(stanza)
                return service.iq_handler(self._ctx, stanza)
            ctx = replace(self._ctx, repeated_id=self._routing.id_at(place)) if place else self._ctx
            return self._requests.handle(ctx, stanza, "account" if stanza.to.localpart else "domain")
        if stanza.kind == "presence":
            return service.presence_handler(self._ctx, stanza) if service.presence_handler is not None else None
        if service.message_handler is None:
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, f"{self.domain} accepts no messages")
        return service.message_handler(self._ctx, stanza)


disco = ServiceModule("disco", ns=INFO, xep=30, version="2.5rc3")
disco.features = {rsm.RSM}


@disco.on_iq("get", "query", addressed_to=("domain",))
async def info(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """The service, its features and forms, or one of its nodes (XEP-0030 sections 3.1 and 3.2)."""
    node = iq.payload().get("node", "")
    if not node:
        return iq.reply(describe(ctx.host, ctx))
    if ctx.service.node_info is None:
        raise _no_node(node)
    query = await ctx.service.node_info(ctx, iq, node)
    query.set("node", node)
    return iq.reply(query)


@disco.on_iq("get", "query", ns=ITEMS, addressed_to=("domain",))
async def items(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """The items of the service, or of one of its nodes (sections 4.1 and 4.2), page by page (XEP-0059)."""
    node = iq.payload().get("node", "")
    query = Element(f"{{{ITEMS}}}query", {"node": node} if node else {})
    if not node:
        listed = await ctx.host.items(ctx, "domain")
    elif ctx.service.node_items is None:
        raise _no_node(node)
    else:
        listed = [*await ctx.service.node_items(ctx, iq, node)]
    add_page(query, listed, iq.payload())
    return iq.reply(query)


def _no_node(node: str) -> StanzaError:
    return StanzaError(Condition.ITEM_NOT_FOUND, f"no disco node {node}")
