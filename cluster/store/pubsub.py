"""What a publish-subscribe service stores (XEP-0060): nodes, their affiliations and subscriptions, and their items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from math import inf
from typing import Literal, Protocol

import msgspec

from cluster.xmpp.jid import Jid

AccessModel = Literal["open", "presence", "roster", "authorize", "whitelist"]
PublishModel = Literal["publishers", "subscribers", "open"]
AffiliationName = Literal["owner", "publisher", "publish-only", "member", "none", "outcast"]
SubscriptionState = Literal["none", "pending", "subscribed"]

FIRST = "1"
"""The SubID of a JID's first subscription to a node (XEP-0060 section 6.1.6)."""
MAX_ITEMS = 10_000
"""Of one node: what `max` stands for (XEP-0060 section 16.4.4)."""
MAX_PAGE_BYTES = 300_000
"""Of the items in one reply, which has to be carried between servers; the first is in it whatever its size."""
MAX_PAGE_ITEMS = 1_000
"""In one reply."""


class NodeConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a node behaves (XEP-0060 section 16.4.4), in the words of its form `pubsub#node_config`."""

    title: str = ""
    description: str = ""
    type: str = ""
    """Namespace of its payloads, for people."""
    language: str = ""
    access_model: AccessModel = "open"
    roster_groups_allowed: tuple[str, ...] = ()
    publish_model: PublishModel = "publishers"
    persist_items: bool = True
    max_items: int = 100
    publish_node_full: Literal["retract-oldest", "discard-oldest", "reject"] = "retract-oldest"
    item_expire: int = 0
    """Seconds; 0: never."""
    max_payload_size: int = 0
    """Bytes; 0: as much as a stanza can hold."""
    deliver_notifications: bool = True
    deliver_payloads: bool = True
    notify_config: bool = False
    notify_delete: bool = True
    notify_retract: bool = True
    notify_sub: bool = False
    notification_type: Literal["normal", "headline"] = "headline"
    send_last_published_item: Literal["never", "on_sub", "on_sub_and_presence"] = "on_sub_and_presence"
    itemreply: Literal["", "owner", "publisher"] = ""


class NodeRecord(msgspec.Struct, frozen=True):
    """A node without its items and parties."""

    name: str
    config: NodeConfig
    creator: Jid
    """Bare."""
    created_utc_s: float


class Party(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a JID is at a node: an affiliation is of a bare JID, a subscription of any JID (sections 4.1 and 4.2)."""

    jid: Jid
    affiliation: AffiliationName = "none"
    subscription: SubscriptionState = "none"
    deliver: bool = True
    """The option `pubsub#deliver` of the subscription (section 16.4.2)."""
    ends_utc_s: float = 0.0
    """When the subscription ends: the option `pubsub#expire` (section 12.19). 0: it does not end by itself."""
    subid: str = FIRST
    """Of the subscription. With another one than FIRST, this is a further subscription of the JID, and nothing else."""


class Node(msgspec.Struct):
    """A node with its parties."""

    record: NodeRecord
    parties: dict[Jid, Party]
    further: dict[tuple[Jid, str], Party] = {}
    """Further subscriptions, with other options than the first one of their JID, by JID and SubID."""
    _first_end_utc_s: float | None = None
    """No subscription ends before this time; None: not known."""

    @property
    def name(self) -> str:
        """Its NodeID."""
        return self.record.name

    @property
    def config(self) -> NodeConfig:
        """How it behaves."""
        return self.record.config

    def affiliation_of(self, entity: Jid) -> AffiliationName:
        """Of the bare JID (section 4.1)."""
        party = self.parties.get(entity.bare)
        return "none" if party is None else party.affiliation

    def put(self, party: Party) -> None:
        """Keep this of a JID; nothing of one with neither an affiliation nor a subscription."""
        is_nothing = party.affiliation == party.subscription == "none"
        if party.subid != FIRST:
            self.further.pop((party.jid, party.subid), None)
            if not is_nothing:
                self.further[party.jid, party.subid] = party
        elif is_nothing:
            self.parties.pop(party.jid, None)
        else:
            self.parties[party.jid] = party
        if party.ends_utc_s and self._first_end_utc_s is not None:
            self._first_end_utc_s = min(self._first_end_utc_s, party.ends_utc_s)

    def ended(self, now_utc_s: float) -> list[Party]:
        """Those whose subscriptions have ended by now."""
        if self._first_end_utc_s is None:
            ends = (party.ends_utc_s for party in self.subscriptions if party.ends_utc_s)
            self._first_end_utc_s = min(ends, default=inf)
        if now_utc_s < self._first_end_utc_s:
            return []
        self._first_end_utc_s = None
        return [party for party in self.subscriptions if 0 < party.ends_utc_s <= now_utc_s]

    @property
    def subscriptions(self) -> Iterator[Party]:
        """All, also those that an owner has to approve."""
        return (party for party in chain(self.parties.values(), self.further.values()) if party.subscription != "none")

    def subscriptions_of(self, jid: Jid) -> list[Party]:
        """Those of just this JID."""
        first = self.parties.get(jid)
        found = [first] if first is not None and first.subscription != "none" else []
        return [*found, *(party for party in self.further.values() if party.jid == jid)] if self.further else found

    def subscription_of(self, jid: Jid) -> SubscriptionState:
        """Of just this JID (section 4.2): its further subscriptions have the state of the first one."""
        found = self.subscriptions_of(jid)
        return found[0].subscription if found else "none"

    def is_subscribed(self, entity: Jid) -> bool:
        """By its bare JID or by a full one."""
        bare = entity.bare
        if "subscribed" in (self.subscription_of(entity), self.subscription_of(bare)):
            return True
        return any(party.subscription == "subscribed" and party.jid.bare == bare for party in self.subscriptions)

    @property
    def owners(self) -> list[Jid]:
        """At least one."""
        return [party.jid for party in self.parties.values() if party.affiliation == "owner"]

    @property
    def subscribers(self) -> list[Party]:
        """Those who are subscribed, and want to be told."""
        return [each for each in self.subscriptions if each.subscription == "subscribed" and each.deliver]


class Item(msgspec.Struct, frozen=True):
    """What was published."""

    id: str
    payload: bytes
    """XML; empty where there is none."""
    publisher: Jid
    """Bare."""
    published_utc_s: float
    """To the microsecond; the items of a node have different times, in the order in which they were published."""


class Room(msgspec.Struct, frozen=True):
    """What there is room for when an item is published."""

    max_items: int
    """In the node."""
    size_bytes: int
    """In all nodes of the owner."""
    expired_utc_s: float = 0.0
    """What was published before this time is gone."""
    rejects: bool = False
    """A full node refuses an item; else the oldest makes room for it."""


class Published(msgspec.Struct, frozen=True):
    """What became of a publication."""

    outcome: Literal["kept", "node full", "too much"]
    published_utc_s: float = 0.0
    removed: tuple[str, ...] = ()
    """Ids of the items that made room."""


class PageQuery(msgspec.Struct, frozen=True):
    """A page of items (XEP-0059), those of a node being in the order in which they were published."""

    max: int = MAX_PAGE_ITEMS
    after: str | None = None
    before: str | None = None
    """Page backwards from this id; from the newest where it is empty."""
    expired_utc_s: float = 0.0
    """What was published before this time is gone."""


class ItemPage(msgspec.Struct, frozen=True):
    """Oldest first."""

    items: list[Item]
    first_index: int
    """Place of the first of them among all."""
    count: int
    """Of all."""


class UnknownItem(LookupError):
    """A query names an item that is not in the node."""


class PubsubStore(Protocol):
    """The nodes of owners: an account (its localpart; removed with it), or a service (`@` and its domain)."""

    async def load(self, owner: str) -> dict[str, Node]:
        """All nodes, by name."""

    async def put(self, owner: str, record: NodeRecord, *parties: Party) -> None:
        """Keep a node and these parties, in place of what was kept of each."""

    async def put_party(self, owner: str, node: str, party: Party) -> None:
        """Keep it; one with neither affiliation nor subscription is forgotten."""

    async def delete(self, owner: str, node: Node) -> None:
        """Forget a node with all that is in it."""

    async def publish(self, owner: str, node: str, item: Item, room: Room) -> Published:
        """Keep an item as the newest, in place of one with its id, if there is room.

        If its time is not later than that of the newest item, it is made later.
        """

    async def retract(self, owner: str, node: str, id: str) -> bool:
        """Forget an item; False where there is none."""

    async def purge(self, owner: str, node: str) -> None:
        """Forget all items of a node."""

    async def trim(self, owner: str, node: str, room: Room) -> None:
        """Forget the oldest items for which there is no room any more."""

    async def page(self, owner: str, node: str, query: PageQuery) -> ItemPage:
        """A page of the node's items, of no more than MAX_PAGE_BYTES or one item. Raises UnknownItem."""

    async def find(self, owner: str, node: str, ids: Sequence[str], expired_utc_s: float = 0.0) -> list[Item]:
        """The items with these ids that there are, in this order, within the same bounds."""

    async def newest(self, owner: str, nodes: Sequence[str]) -> dict[str, Item]:
        """The last item of each of these nodes that has one, whether or not it is expired."""
