"""What publishers do: publish and retract items (XEP-0060 section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.base.settled import Settled, both
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
"""Of one payload as it is written here, without prefixes: what a client wrote with them may be longer then."""
Options = Mapping[str, Sequence[str]]


class Publication(msgspec.Struct, frozen=True):
    """What a publisher wants to be published."""

    node: str
    publisher: Jid
    """Full, where it is one."""
    id: str = ""
    """To be drawn where it is empty."""
    payload: bytes = b""
    has_item: bool = True
    options: Options | None = None
    """Publishing options."""

    @staticmethod
    def of(node: str, publisher: Jid, id: str, payload: Element, options: Options | None = None) -> Publication:
        """The publication of this payload."""
        return Publication(node, publisher, id, payload_bytes(payload), options=options)


async def publish(service: PubsubService, wanted: Publication) -> Item:
    """Publish an item, and tell who is to be told; the item as it is kept. Raises StanzaError."""
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
    settled = _tell(service, node, item, wanted, removed)
    if settled is not None:
        await settled
    await service.changed(Change(node.name, item, wanted.publisher))
    return item


def _also_not_kept(failure: Failure, kept: Deferred[Published]) -> Failure:
    """The first failure is told; the other one is of the same."""
    kept.addErrback(lambda other: None)
    return failure


def _node(service: PubsubService, wanted: Publication) -> tuple[Node, Deferred[None] | None]:
    """The node, made where there is none (sections 7.1.4 and 7.1.5); then with when it is kept."""
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
        raise refusal(Condition.BAD_REQUEST, "item-forbidden", "nothing is kept or told of items at this node")
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
    settled = service.tell(node, event, wanted.publisher)
    # of a node with one item, the new one says that the old one is gone
    if removed and config.notify_retract and config.publish_node_full == "retract-oldest" and config.max_items > 1:
        gone = service.events.retracted(service.new_id(), node.name, config, removed)
        settled = both(settled, service.tell(node, gone))
    return settled


async def retract(service: PubsubService, name: str, entity: Jid, id: str, notify: bool | None) -> None:
    """Forget an item (section 7.2). `notify`: what the request says; None: nothing. Raises StanzaError."""
    node = service.node(name)
    check_publisher(node, entity)
    if not node.config.persist_items:
        raise unsupported("persistent-items", "the node keeps no items")
    if node.affiliation_of(entity) not in ("owner", "publisher"):
        await _check_own(service, node, entity, id)
    if not await service.store.retract(service.owner, name, id):
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"there is no item {id}")
    if node.config.notify_retract if notify is None else notify:
        settled = service.tell(node, service.events.retracted(service.new_id(), name, node.config, [id]))
        if settled is not None:
            await settled
    await service.changed(Change(name, by=entity))


async def _check_own(service: PubsubService, node: Node, entity: Jid, id: str) -> None:
    """Who may merely publish removes only what it has published itself (section 4.1)."""
    found = await service.store.find(service.owner, node.name, [id])
    if found and found[0].publisher != entity.bare:
        raise forbidden("somebody else has published this item")


def check_name(name: str) -> None:
    """Raise StanzaError for what is no NodeID of ours."""
    if len(name.encode()) > MAX_NAME_BYTES:
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"the name of a node has at most {MAX_NAME_BYTES} bytes")


def read_payload(item: Element) -> bytes:
    """The payload of an item (section 7.1.3.6). Raises StanzaError."""
    if len(item) > 1:
        raise refusal(Condition.BAD_REQUEST, "invalid-payload", "an item has one payload")
    return payload_bytes(item[0]) if len(item) else b""
