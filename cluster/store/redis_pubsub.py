"""The nodes of publish-subscribe services in Redis.

For each owner a hash of the nodes and their parties, and a hash of the bytes of their items; for each node
a hash of its items, and a sorted set of their ids by the microsecond in which they were published.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from cluster.redisio.client import RedisClient
from cluster.redisio.keys import Keys
from cluster.redisio.pages import read_hash
from cluster.store import redis_pubsub_scripts as scripts
from cluster.store.pubsub import (
    FIRST,
    MAX_PAGE_BYTES,
    Item,
    ItemPage,
    Node,
    NodeConfig,
    NodeRecord,
    PageQuery,
    Party,
    Published,
    Room,
    UnknownItem,
)
from cluster.xmpp.jid import Jid

_encode = msgspec.msgpack.Encoder().encode
_record = msgspec.msgpack.Decoder(NodeRecord).decode
_party = msgspec.msgpack.Decoder(Party).decode

_OF_PARTY = "\0"
"""Between the name of a node, a JID, and the SubID of a further subscription; no XML has it."""


@lru_cache(maxsize=1_024)
def _shared(config: NodeConfig) -> NodeConfig:
    """The equal one that is in memory: clients configure the nodes of all accounts alike."""
    return config


class _StoredItem(msgspec.Struct, frozen=True, array_like=True):
    """An item in the hash; its id and time are in the sorted set."""

    payload: bytes
    publisher: Jid


_stored_item = msgspec.msgpack.Decoder(_StoredItem).decode


class RedisPubsub:
    """A `PubsubStore`."""

    def __init__(self, client: RedisClient, keys: Keys, domain: str) -> None:
        self._client = client
        self._keys = keys
        self._domain = domain

    async def load(self, owner: str) -> dict[str, Node]:
        """All nodes."""
        found = await read_hash(self._client, self._keys.pubsub(self._domain, owner))
        nodes: dict[str, Node] = {}
        parties: list[tuple[str, Party]] = []
        for field, value in found.items():
            name, of_party, _ = field.decode().partition(_OF_PARTY)
            if of_party:
                parties.append((name, _party(value)))
            else:
                record = _record(value)
                nodes[name] = Node(msgspec.structs.replace(record, config=_shared(record.config)), {})
        for name, party in sorted(parties, key=lambda each: (each[0], each[1].jid, each[1].subid)):
            if name in nodes:
                nodes[name].put(party)
        return dict(sorted(nodes.items()))

    async def put(self, owner: str, record: NodeRecord, *parties: Party) -> None:
        """Keep a node and these parties."""
        fields: list[str | bytes] = [record.name, _encode(record)]
        for party in parties:
            fields += [_field(record.name, party), _encode(party)]
        await self._client.execute("HSET", self._keys.pubsub(self._domain, owner), *fields)

    async def put_party(self, owner: str, node: str, party: Party) -> None:
        """Keep it, or forget it."""
        key, field = self._keys.pubsub(self._domain, owner), _field(node, party)
        if party.affiliation == party.subscription == "none":
            await self._client.execute("HDEL", key, field)
        else:
            await self._client.execute("HSET", key, field, _encode(party))

    async def delete(self, owner: str, node: Node) -> None:
        """Forget a node with all that is in it."""
        name = node.record.name
        names = *self._keys_of(owner, name), self._keys.pubsub(self._domain, owner)
        fields = [name, *(_field(name, party) for party in (*node.parties.values(), *node.further.values()))]
        await self._client.execute("EVAL", scripts.DELETE, len(names), *names, name, *fields)

    async def publish(self, owner: str, node: str, item: Item, room: Room) -> Published:
        """Keep an item as the newest, if there is room."""
        value = _encode(_StoredItem(item.payload, item.publisher))
        bounds = room.max_items, room.size_bytes, _us(room.expired_utc_s), int(room.rejects)
        about = item.id, value, _us(item.published_utc_s), *bounds
        outcome, *details = await self._run(scripts.PUBLISH, owner, node, *about)
        if outcome != b"kept":
            return Published("node full" if outcome == b"node full" else "too much")
        at_us, *removed = details
        return Published("kept", int(at_us) / 1e6, tuple(id.decode() for id in removed))

    async def retract(self, owner: str, node: str, id: str) -> bool:
        """Forget an item; False where there is none."""
        return bool(await self._run(scripts.RETRACT, owner, node, id))

    async def purge(self, owner: str, node: str) -> None:
        """Forget all items of a node."""
        await self._run(scripts.PURGE, owner, node)

    async def trim(self, owner: str, node: str, room: Room) -> None:
        """Forget the oldest items."""
        await self._run(scripts.TRIM, owner, node, room.max_items, _us(room.expired_utc_s))

    async def page(self, owner: str, node: str, query: PageQuery) -> ItemPage:
        """A page of the node's items. Raises UnknownItem."""
        before = "" if query.before is None else f"-{query.before}"
        bounds = _us(query.expired_utc_s), query.max, query.after or "", before, MAX_PAGE_BYTES
        kind, *answer = await self._run(scripts.PAGE, owner, node, *bounds)
        if kind == b"unknown":
            raise UnknownItem(answer[0].decode())
        count, first, *found = answer
        items = _items(found)
        return ItemPage(items if query.before is None else items[::-1], int(first), int(count))

    async def find(self, owner: str, node: str, ids: Sequence[str], expired_utc_s: float = 0.0) -> list[Item]:
        """The items with these ids."""
        return _items(await self._run(scripts.FIND, owner, node, _us(expired_utc_s), MAX_PAGE_BYTES, *ids))

    async def newest(self, owner: str, nodes: Sequence[str]) -> dict[str, Item]:
        """The last item of each."""
        if not nodes:
            return {}
        names = [key for node in nodes for key in self._keys_of(owner, node)[:2]]
        found = await self._client.execute("EVAL", scripts.NEWEST, len(names), *names)
        return {node: _items(each)[0] for node, each in zip(nodes, found, strict=True) if each}

    def _keys_of(self, owner: str, node: str) -> tuple[str, str, str]:
        keys, domain = self._keys, self._domain
        order, items = keys.pubsub_order(domain, owner, node), keys.pubsub_items(domain, owner, node)
        return order, items, keys.pubsub_bytes(domain, owner)

    async def _run(self, script: str, owner: str, node: str, *arguments: str | bytes | int) -> list[bytes]:
        names = self._keys_of(owner, node)
        reply: list[bytes] = await self._client.execute("EVAL", script, len(names), *names, node, *arguments)
        return reply


def _field(node: str, party: Party) -> str:
    field = f"{node}{_OF_PARTY}{party.jid}"
    return field if party.subid == FIRST else f"{field}{_OF_PARTY}{party.subid}"


def _us(utc_s: float) -> int:
    return round(utc_s * 1e6)


def _items(found: Iterable[bytes]) -> list[Item]:
    """The items of a flat list of ids, times and values."""
    flat = [*found]
    items = []
    for id, at_us, value in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
        stored = _stored_item(value)
        items.append(Item(id.decode(), stored.payload, stored.publisher, int(at_us) / 1e6))
    return items
