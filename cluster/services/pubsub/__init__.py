"""Publish-subscribe (XEP-0060) on a subdomain of a server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from twisted.internet.defer import Deferred, gatherResults

from cluster.base.settled import Settled, all_of
from cluster.host.module import Item
from cluster.pubsub import discovery, pending, requests, subscribing
from cluster.pubsub.access import may_read
from cluster.pubsub.errors import OWNER, PUBSUB
from cluster.pubsub.service import Bounds, PubsubService, Surroundings
from cluster.server.services.service import Service, ServiceContext, ServiceModule, ServiceState
from cluster.store.pubsub import AccessModel, Node, NodeConfig
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, error_of

MAX_NODES = 10_000
"""Of one service."""
MAX_PARTIES = 100_000
"""Subscriptions and affiliations of one service, of all nodes together."""
_NOBODY_THERE = (Condition.GONE, Condition.ITEM_NOT_FOUND, Condition.REMOTE_SERVER_NOT_FOUND)
"""Conditions which say that a subscriber does not exist any more (XEP-0060 section 12.4)."""


class PubsubSettings(msgspec.Struct, frozen=True):
    """What the topology says of a service."""

    creation: Literal["anyone", "local", "nobody"] = "local"
    """Who may create nodes; `local`: the accounts of the server's domain."""
    bytes: int = 256 << 20
    """Of the items of all nodes."""


class GenericPubsub(PubsubService):
    """A service that knows nothing of its users but their addresses."""

    access_models: tuple[AccessModel, ...] = ("open", "authorize", "whitelist")
    defaults = NodeConfig(send_last_published_item="on_sub")

    def __init__(self, ctx: ServiceContext) -> None:
        """Starts without nodes; `read` loads them."""
        settings: PubsubSettings = ctx.service.settings
        surroundings = Surroundings(ctx.store.pubsub, ctx.route, ctx.new_id, ctx.now_utc_s, ctx.tracer)
        bounds = Bounds(MAX_NODES, MAX_PARTIES, settings.bytes, "topology: bytes of its section")
        super().__init__(Jid("", ctx.domain), f"@{ctx.domain}", {}, surroundings, bounds)
        self._creation = settings.creation
        self._server_domain = ctx.server_domain

    def may_create(self, entity: Jid) -> bool:
        """As the topology says."""
        if self._creation == "local":
            return entity.domainpart == self._server_domain and bool(entity.localpart)
        return self._creation == "anyone"

    def tell(self, node: Node, event: Stanza, publisher: Jid | None = None) -> Settled:
        """Notify the subscribers; who may not read any more, as the access model changed, loses the subscription."""
        self.end_leases(node)
        able: list[Jid] = []
        lost: list[Jid] = []
        for party in node.subscribers:
            (able if _still_reads(self, node, party.jid) else lost).append(party.jid)
        if lost and node.name in self.nodes:
            subscribing.cancel_logged(self, node, lost)
        return all_of([self.send(told, jids) for told, jids in self.for_each(node, event, able)])


def _still_reads(service: PubsubService, node: Node, jid: Jid) -> bool:
    return node.config.access_model == "open" or may_read(service, node, jid)


_pubsub = ServiceState(GenericPubsub)
module = ServiceModule("pubsub", ns=PUBSUB, xep=60, version="1.30.0")
module.identity("pubsub", "service", "Publish-subscribe")
module.features |= discovery.FEATURES | {f"{PUBSUB}#access-open"}
service = Service("pubsub", (module,), PubsubSettings)


@service.on_start
async def read(ctx: ServiceContext) -> None:
    """Load the nodes before any request comes."""
    pubsub = _pubsub.of(ctx)
    pubsub.nodes.update(await ctx.store.pubsub.load(pubsub.owner))


@module.on_iq("get", "pubsub", addressed_to=("domain",))
@module.on_iq("set", "pubsub", addressed_to=("domain",))
@module.on_iq("get", "pubsub", ns=OWNER, addressed_to=("domain",))
@module.on_iq("set", "pubsub", ns=OWNER, addressed_to=("domain",))
async def answer(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """All of XEP-0060."""
    assert iq.from_ is not None
    return await requests.handle(_pubsub.of(ctx), iq, iq.from_, ctx.repeated_id)


@module.on_iq("set", "command", ns=pending.COMMANDS, addressed_to=("domain",))
async def command(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """The one command of section 8.7."""
    return await pending.run(_pubsub.of(ctx), iq)


@service.on_message
def take(ctx: ServiceContext, message: Stanza) -> Settled:
    """An owner's answer to a subscription request, or a notification that comes back as its receiver does not exist."""
    pubsub = _pubsub.of(ctx)
    if message.type == "error":
        return _returned(pubsub, message)
    if subscribing.is_authorization(message):
        return Deferred.fromCoroutine(subscribing.authorize(pubsub, message))
    raise StanzaError(Condition.SERVICE_UNAVAILABLE, "this service reads no messages")


def _returned(pubsub: GenericPubsub, message: Stanza) -> Settled:
    error, jid = error_of(message), message.from_
    assert jid is not None
    if error.type is not ErrorType.CANCEL or error.condition not in _NOBODY_THERE:
        return None
    nodes = [node for node in pubsub.nodes.values() if node.subscription_of(jid) != "none"]
    if not nodes:
        return None
    return gatherResults([subscribing.cancel(pubsub, node, [jid]) for node in nodes], consumeErrors=True)


# --- service discovery


@module.disco_items(addressed_to=("domain",))
async def nodes(ctx: ServiceContext, about: None) -> list[Item]:
    """The nodes that everybody may know of (section 5.2)."""
    pubsub = _pubsub.of(ctx)
    shown = [node for node in pubsub.nodes.values() if node.config.access_model != "whitelist"]
    return [Item(pubsub.jid, node.name, node.config.title) for node in shown]


@service.disco_info_of_nodes
async def node_info(ctx: ServiceContext, iq: Stanza, name: str) -> Element:
    """What a node is (section 5.4)."""
    assert iq.from_ is not None
    of_command = pending.info(name)
    return discovery.describe(_pubsub.of(ctx), name, iq.from_) if of_command is None else of_command


@service.disco_items_of_nodes
async def node_items(ctx: ServiceContext, iq: Stanza, name: str) -> Iterable[Item]:
    """The items of a node (section 5.5)."""
    assert iq.from_ is not None
    pubsub = _pubsub.of(ctx)
    if name == pending.COMMANDS:
        return pending.listed(pubsub)
    return [Item(pubsub.jid, name=id) for id in await discovery.item_ids(pubsub, name, iq.from_)]
