"""What publishers do: publish and retract items (XEP-0060 section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.base.settled import Settled, both, until_settled
from cluster.pubsub import configuration
from cluster.pubsub.access import check_publisher
from cluster.pubsub.errors import forbidden, no_node, refusal, unsupported
from cluster.pubsub.events import item_bytes, payload_bytes
from cluster.pubsub.service import MAX_NAME_BYTES, Change, PubsubService
from cluster.store.pubsub import Item, Node, NodeConfig, Published
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import FROM_CLIENT

MAX_PAYLOAD_BYTES = FROM_CLIENT.max_bytes
"""Of one payload as it is stored: without prefixes, so it may be longer than what the client wrote."""
Options = Mapping[str, Sequence[str]]


class Publication(msgspec.Struct, frozen=True):
    """What a publisher wants to be published."""

    node: str
    publisher: Jid
    """A full JID if a client publishes."""
    id: str = ""
    """Empty: the service chooses one."""
    payload: bytes = b""
    has_item: bool = True
    options: Options | None = None
    """Publishing options."""
    trace_id: str = ""
    """Of the request, if it is followed: then the notifications are."""

    @staticmethod
    def of(node: str, publisher: Jid, id: str, payload: Element, options: Options | None = None) -> Publication:
        """The publication of this payload."""
        return Publication(node, publisher, id, payload_bytes(payload), options=options)


async def publish(service: PubsubService, wanted: Publication) -> Item:
    """Publish an item and send its notifications; the item as it is stored. Raises StanzaError."""
    node, created = _node(service, wanted)
    config = node.config
    _check(config, wanted)
    item = Item(
        wanted.id if wanted.id or not wanted.has_item else service.new_id(),
        wanted.payload,
        wanted.publisher.bare,
        service.now_utc_s(),
    )
    removed: tuple[str, ...] = ()
    if config.persist_items:
        kept = Deferred.fromCoroutine(service.store.publish(service.owner, node.name, item, service.room(config)))
        if created is not None:
            created.addErrback(_also_not_kept, kept)
            await created
        published = await kept
        if published.outcome == "node full":
            raise refusal(Condition.CONFLICT, "node-full", f"the node has {config.max_items} items")
        if published.outcome == "too much":
            raise _too_much(service)
        item = msgspec.structs.replace(item, published_utc_s=published.published_utc_s)
        removed = published.removed
    elif created is not None:
        await created
    await until_settled(_tell(service, node, item, wanted, removed))
    await service.changed(Change(node.name, item, wanted.publisher))
    return item


def _also_not_kept(failure: Failure, kept: Deferred[Published]) -> Failure:
    """Report why the node was not stored; the item was not stored for the same reason."""
    kept.addErrback(lambda other: None)
    return failure


def _node(service: PubsubService, wanted: Publication) -> tuple[Node, Deferred[None] | None]:
    """The node; if it is created now (sections 7.1.4 and 7.1.5), with a Deferred that fires when it is stored."""
    if service.is_gone:
        raise no_node(wanted.node)
    options = wanted.options or {}
    configuration.check_known(options)
    node = service.nodes.get(wanted.node)
    if node is None:
        if not service.may_create(wanted.publisher):
            raise no_node(wanted.node)
        check_name(wanted.node)
        config = configuration.changed(service.defaults, options, service.access_models)
        _check(config, wanted)
        return service.create(wanted.node, config, wanted.publisher)
    service.end_leases(node)
    check_publisher(node, wanted.publisher)
    if unmet := configuration.unmet(node.config, options, service.access_models):
        text = f"the node is configured otherwise: {', '.join(unmet)}"
        raise refusal(Condition.CONFLICT, "precondition-not-met", text)
    return node, None


def _check(config: NodeConfig, wanted: Publication) -> None:
    """Whether this item can be published at such a node (section 7.1.3)."""
    if not wanted.has_item:
        if config.persist_items or config.deliver_payloads:
            raise refusal(Condition.BAD_REQUEST, "item-required", "publish an item at this node")
        return
    if not config.persist_items and not config.deliver_payloads:
        raise refusal(Condition.BAD_REQUEST, "item-forbidden", "this node neither keeps items nor tells of them")
    if config.deliver_payloads and not wanted.payload:
        raise refusal(Condition.BAD_REQUEST, "payload-required", "the item has no payload")
    most = min(config.max_payload_size or MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES)
    if len(wanted.payload) > most:
        text = f"a payload at this node has at most {most} bytes"
        raise refusal(Condition.NOT_ACCEPTABLE, "payload-too-big", text)
    if len(wanted.id.encode()) > MAX_NAME_BYTES:
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"the id of an item has at most {MAX_NAME_BYTES} bytes")


def _too_much(service: PubsubService) -> StanzaError:
    text = f"at most {service.bounds.size_bytes} bytes of items are kept ({service.bounds.cause})"
    return refusal(Condition.RESOURCE_CONSTRAINT, "max-items-exceeded", text)


def _tell(service: PubsubService, node: Node, item: Item, wanted: Publication, removed: Sequence[str]) -> Settled:
    config = node.config
    if not config.deliver_notifications or service.nodes.get(node.name) is not node:  # it was deleted meanwhile
        return None
    shown = b""
    if wanted.has_item:
        shown = item_bytes(item, with_payload=config.deliver_payloads, with_publisher=config.itemreply == "publisher")
    event = service.events.items(service.new_id(), node.name, config, shown)
    if wanted.trace_id:
        event = msgspec.structs.replace(event, trace_id=wanted.trace_id)
    settled = service.tell(node, event, wanted.publisher)
    # at a node with one item, the new item itself says that the old one is gone
    if removed and config.notify_retract and config.publish_node_full == "retract-oldest" and config.max_items > 1:
        gone = service.events.retracted(service.new_id(), node.name, config, removed)
        settled = both(settled, service.tell(node, gone))
    return settled


async def retract(service: PubsubService, name: str, entity: Jid, id: str, notify: bool | None) -> None:
    """Remove an item (section 7.2). `notify`: as the request says; None if it does not. Raises StanzaError."""
    node = service.node(name)
    check_publisher(node, entity)
    if not node.config.persist_items:
        raise unsupported("persistent-items", "the node keeps no items")
    if node.affiliation_of(entity) not in ("owner", "publisher"):
        await _check_own(service, node, entity, id)
    if not await service.store.retract(service.owner, name, id):
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"there is no item {id}")
    if node.config.notify_retract if notify is None else notify:
        await until_settled(service.tell(node, service.events.retracted(service.new_id(), name, node.config, [id])))
    await service.changed(Change(name, by=entity))


async def _check_own(service: PubsubService, node: Node, entity: Jid, id: str) -> None:
    """Raise StanzaError unless the entity, which may only publish, has published this item (section 4.1)."""
    found = await service.store.find(service.owner, node.name, [id])
    if found and found[0].publisher != entity.bare:
        raise forbidden("somebody else has published this item")


def check_name(name: str) -> None:
    """Raise StanzaError for a NodeID that is too long."""
    if len(name.encode()) > MAX_NAME_BYTES:
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"the name of a node has at most {MAX_NAME_BYTES} bytes")


def read_payload(item: Element) -> bytes:
    """The payload of an item (section 7.1.3.6). Raises StanzaError."""
    if len(item) > 1:
        raise refusal(Condition.BAD_REQUEST, "invalid-payload", "an item has one payload")
    return payload_bytes(item[0]) if len(item) else b""
