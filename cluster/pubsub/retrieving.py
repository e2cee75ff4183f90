"""Retrieving the items of a node (XEP-0060 section 6.5), and the last item, which is sent without a request."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.pubsub.access import check_reader, check_subid
from cluster.pubsub.errors import PUBSUB, unsupported
from cluster.pubsub.events import item_bytes, items_result
from cluster.pubsub.service import PubsubService
from cluster.store.pubsub import MAX_PAGE_BYTES, MAX_PAGE_ITEMS, Item, ItemPage, Node, PageQuery, UnknownItem
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import rsm
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

_ITEM = f"{{{PUBSUB}}}item"


async def items(service: PubsubService, iq: Stanza, entity: Jid, asked: Element, pubsub: Element) -> Stanza:
    """The requested items: by their ids, a number of the newest, or a page of all (XEP-0059)."""
    node = service.node(asked.get("node", ""))
    check_reader(service, node, entity)
    check_subid(node, entity, asked)
    config = node.config
    if not config.persist_items:
        raise unsupported("persistent-items", "the node keeps no items")
    ids = [*dict.fromkeys(each.get("id", "") for each in asked.findall(_ITEM))]
    if ids:
        found = await service.store.find(service.owner, node.name, ids, service.expired(config))
        told = rsm.tell([item.id for item in found], 0, len(ids)) if _is_cut(found, ids) else None
        return items_result(iq, node.name, _shown(node, found), told)
    query, is_asked = _query(asked, pubsub, service.expired(config))
    page = await read_page(service, node, query)
    is_complete = len(page.items) == page.count
    told = rsm.tell([item.id for item in page.items], page.first_index, page.count)
    return items_result(iq, node.name, _shown(node, page.items), told if is_asked or not is_complete else None)


def _is_cut(found: Sequence[Item], ids: Sequence[str]) -> bool:
    """Whether items may be missing because they do not fit into the reply; the client can ask for them again."""
    near_bytes = MAX_PAGE_BYTES // 2
    return 0 < len(found) < len(ids) and sum(len(item.payload) for item in found) > near_bytes


async def read_page(service: PubsubService, node: Node, query: PageQuery) -> ItemPage:
    """A page of the node's items. Raises StanzaError."""
    try:
        return await service.store.page(service.owner, node.name, query)
    except UnknownItem as error:
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"the node has no item {error}") from None


def _query(asked: Element, pubsub: Element, expired_utc_s: float) -> tuple[PageQuery, bool]:
    """The page, and whether the request asks for its place in the list too."""
    most = asked.get("max_items", "").strip()
    if most and not (most.isascii() and most.isdigit()):
        raise StanzaError(Condition.BAD_REQUEST, f"max_items={most!r} is not a number")
    newest = min(int(most[:10]), MAX_PAGE_ITEMS) if most else MAX_PAGE_ITEMS
    page = rsm.read(pubsub, MAX_PAGE_ITEMS)
    if page is None:  # where not all fit, the newest do (section 6.5.7)
        return PageQuery(newest, before="", expired_utc_s=expired_utc_s), False
    return PageQuery(page.max, page.after, page.before, expired_utc_s), True


def _shown(node: Node, items: Sequence[Item]) -> list[bytes]:
    return [item_bytes(item, with_publisher=node.config.itemreply == "publisher") for item in items]


async def last_events(service: PubsubService, nodes: Sequence[Node]) -> list[Stanza]:
    """The last item of each of these nodes that has one, as notifications (sections 6.1.7 and 12.2)."""
    newest = await service.store.newest(service.owner, [node.name for node in nodes])
    events = []
    for node in nodes:
        item, config = newest.get(node.name), node.config
        if item is None or item.published_utc_s < service.expired(config):
            continue
        shown = item_bytes(item, with_payload=config.deliver_payloads, with_publisher=config.itemreply == "publisher")
        at = item.published_utc_s
        events.append(service.events.items(service.new_id(), node.name, config, shown, published_utc_s=at))
    return events
