"""A declared service at its address: hands its handlers what comes, and sends back what they cannot take."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.settled import Settled
from cluster.base.storage import is_away
from cluster.host.disco import INFO, ITEMS, add_items, describe
from cluster.host.iq import IqDispatch
from cluster.host.module_host import ModuleHost
from cluster.server.config import Ports
from cluster.server.routing import Routing
from cluster.server.services.service import Service, ServiceContext, ServiceModule
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza


class HostedService:
    """A `LocalService` that lives in this server."""

    _log = Logger()

    def __init__(self, domain: str, service: Service, ports: Ports, routing: Routing) -> None:
        self.domain = domain
        self._routing = routing
        host = ModuleHost((disco, *service.modules))
        self._ctx = ServiceContext(domain, service, host, routing.route, ports.new_id, ports.now_utc_s)
        self._requests = IqDispatch(host, routing.route)

    def deliver(self, stanza: Stanza, place: str) -> Settled:
        """Run its handler; where that fails, the stanza is returned to its sender."""
        try:
            settled = self._take(stanza)
        except StanzaError as error:
            return self._routing.bounce(stanza, error)
        except Exception:
            return self._routing.not_delivered(Failure(), stanza)  # type: ignore[no-untyped-call]
        return settled.addErrback(self._not_taken, stanza, place) if settled is not None else None

    def _not_taken(self, failure: Failure, stanza: Stanza, place: str) -> Settled | Failure:
        """What came over a link is read again where the storage is away."""
        if isinstance(failure.value, StanzaError):
            return self._routing.bounce(stanza, failure.value)
        return failure if place and is_away(failure.value) else self._routing.not_delivered(failure, stanza)

    def _take(self, stanza: Stanza) -> Settled:
        assert stanza.to is not None
        service = self._ctx.service
        if stanza.kind == "iq":
            return self._requests.handle(self._ctx, stanza, "account" if stanza.to.localpart else "domain")
        if stanza.kind == "presence":
            return service.presence_handler(self._ctx, stanza) if service.presence_handler is not None else None
        if service.message_handler is None:
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, f"{self.domain} takes no messages")
        return service.message_handler(self._ctx, stanza)


disco = ServiceModule("disco", ns=INFO, xep=30, version="2.5rc3")


@disco.on_iq("get", "query", addressed_to=("domain",))
def info(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """The service, its features and forms (XEP-0030 section 3.1)."""
    _check_node(iq)
    return iq.reply(describe(ctx.host, ctx))


@disco.on_iq("get", "query", ns=ITEMS, addressed_to=("domain",))
async def items(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """What the service lists (section 4.1)."""
    _check_node(iq)
    query = Element(f"{{{ITEMS}}}query")
    add_items(query, await ctx.host.items(ctx, "domain"))
    return iq.reply(query)


def _check_node(iq: Stanza) -> None:
    if iq.payload().get("node"):
        raise StanzaError(Condition.ITEM_NOT_FOUND, "nothing here has disco nodes")
