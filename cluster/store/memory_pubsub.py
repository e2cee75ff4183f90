"""The nodes of publish-subscribe services in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cluster.store.pubsub import (
    MAX_PAGE_BYTES,
    Item,
    ItemPage,
    Node,
    NodeRecord,
    PageQuery,
    Party,
    Published,
    Room,
    UnknownItem,
)

Items = dict[str, Item]
"""By id, oldest first."""


class MemoryPubsub:
    """A `PubsubStore`."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[str, Node]] = {}
        self._items: dict[str, dict[str, Items]] = {}

    async def load(self, owner: str) -> dict[str, Node]:
        """All nodes."""
        nodes = self._nodes.get(owner, {})
        return {name: Node(node.record, dict(node.parties), dict(node.further)) for name, node in sorted(nodes.items())}

    async def put(self, owner: str, record: NodeRecord, *parties: Party) -> None:
        """Keep a node and these parties."""
        nodes = self._nodes.setdefault(owner, {})
        node = nodes.setdefault(record.name, Node(record, {}))
        node.record = record
        for party in parties:
            node.put(party)

    async def put_party(self, owner: str, node: str, party: Party) -> None:
        """Keep it, or forget it."""
        self._nodes[owner][node].put(party)

    async def delete(self, owner: str, node: Node) -> None:
        """Forget a node with all that is in it."""
        self._nodes.get(owner, {}).pop(node.record.name, None)
        self._items.get(owner, {}).pop(node.record.name, None)

    async def publish(self, owner: str, node: str, item: Item, room: Room) -> Published:
        """Keep an item as the newest, if there is room."""
        items = self._current(owner, node, room.expired_utc_s)
        newest = max((each.published_utc_s for each in items.values()), default=0.0)
        if item.published_utc_s <= newest:
            item = msgspec.structs.replace(item, published_utc_s=newest + 1e-6)
        if item.id not in items and len(items) >= room.max_items and room.rejects:
            return Published("node full")
        others = [id for id in items if id != item.id]
        removed = others[: max(0, len(others) + 1 - room.max_items)]
        gone = {*removed, item.id}
        all_items = [(name, each) for name, of in self._items[owner].items() for each in of.values()]
        left_bytes = sum(_size(each) for name, each in all_items if name != node or each.id not in gone)
        grows = item.id not in items or _size(item) > _size(items[item.id])
        if grows and left_bytes + _size(item) > room.size_bytes:
            return Published("too much")
        for id in gone:
            items.pop(id, None)
        items[item.id] = item
        return Published("kept", item.published_utc_s, tuple(removed))

    async def retract(self, owner: str, node: str, id: str) -> bool:
        """Forget an item; False where there is none."""
        return self._items.get(owner, {}).get(node, {}).pop(id, None) is not None

    async def purge(self, owner: str, node: str) -> None:
        """Forget all items of a node."""
        self._items.get(owner, {}).pop(node, None)

    async def trim(self, owner: str, node: str, room: Room) -> None:
        """Forget the oldest items."""
        items = self._current(owner, node, room.expired_utc_s)
        for id in [*items][: max(0, len(items) - room.max_items)]:
            del items[id]

    async def page(self, owner: str, node: str, query: PageQuery) -> ItemPage:
        """A page of the node's items. Raises UnknownItem."""
        items = [*self._current(owner, node, query.expired_utc_s).values()]
        places = {item.id: place for place, item in enumerate(items)}
        for id in (query.after, query.before):
            if id and id not in places:
                raise UnknownItem(id)
        first = places[query.after] + 1 if query.after else 0
        last = places[query.before] if query.before else len(items)
        if query.before is None:
            page = _fitting(items[first : min(last, first + query.max)])
        else:
            page = _fitting(reversed(items[max(first, last - query.max) : last]))[::-1]
            first = last - len(page)
        return ItemPage(page, first, len(items))

    async def find(self, owner: str, node: str, ids: Sequence[str], expired_utc_s: float = 0.0) -> list[Item]:
        """The items with these ids."""
        items = self._current(owner, node, expired_utc_s)
        return _fitting(items[id] for id in ids if id in items)

    async def newest(self, owner: str, nodes: Sequence[str]) -> dict[str, Item]:
        """The last item of each."""
        items = self._items.get(owner, {})
        return {node: [*items[node].values()][-1] for node in nodes if items.get(node)}

    def forget(self, owner: str) -> None:
        """Forget all nodes."""
        self._nodes.pop(owner, None)
        self._items.pop(owner, None)

    def _current(self, owner: str, node: str, expired_utc_s: float) -> Items:
        """Without those that are expired."""
        items = self._items.setdefault(owner, {}).setdefault(node, {})
        for id in [each.id for each in items.values() if each.published_utc_s < expired_utc_s]:
            del items[id]
        return items


def _size(item: Item) -> int:
    """About as it would be stored."""
    return len(item.payload) + len(item.id.encode()) + len(str(item.publisher)) + 64


def _fitting(items: Iterable[Item]) -> list[Item]:
    """The first of them, by bytes."""
    fitting: list[Item] = []
    size_bytes = 0
    for item in items:
        size_bytes += len(item.payload)
        if fitting and size_bytes > MAX_PAGE_BYTES:
            break
        fitting.append(item)
    return fitting
