"""A publish-subscribe service, of an account or of a domain: its nodes in memory, written through to the storage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.settled import Settled
from cluster.base.storage import log_failed
from cluster.pubsub.errors import no_node, refusal
from cluster.pubsub.events import Events, with_subids
from cluster.store.pubsub import AccessModel, Item, Node, NodeConfig, NodeRecord, Party, PubsubStore, Room
from cluster.trace.hop import Event, Tracer
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import Condition
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

_log = Logger()

MAX_NAME_BYTES = 1_023
"""Of a NodeID, and of an ItemID."""


@dataclass(frozen=True)
class Surroundings:
    """What a service needs of the server."""

    store: PubsubStore
    route: Callable[[Stanza | Copies], Settled]
    new_id: Callable[[], str]
    now_utc_s: Callable[[], float]
    tracer: Tracer


@dataclass(frozen=True)
class Bounds:
    """How much a service keeps."""

    nodes: int
    parties: int
    """Affiliations and subscriptions, of all nodes together."""
    size_bytes: int
    """Items, of all nodes together."""
    cause: str
    """Where the bound is set, for the texts of errors."""


class Change(msgspec.Struct, frozen=True):
    """Something changed at a node."""

    node: str
    item: Item | None = None
    """The item that was published; None if items were removed."""
    by: Jid | None = None
    """Who made the change."""


class PubsubService:
    """The base of both kinds of services, which decide who may do what and who is notified."""

    access_models: tuple[AccessModel, ...]
    defaults: NodeConfig

    def __init__(
        self, jid: Jid, owner: str, nodes: dict[str, Node], surroundings: Surroundings, bounds: Bounds
    ) -> None:
        """`owner`: the name under which `PubsubStore` keeps the nodes."""
        self.jid = jid
        self.owner = owner
        self.nodes = nodes
        self.bounds = bounds
        self.store = surroundings.store
        self.new_id = surroundings.new_id
        self.now_utc_s = surroundings.now_utc_s
        self.route = surroundings.route
        self.tracer = surroundings.tracer
        self.events = Events(jid)

    # --- what differs

    @property
    def is_gone(self) -> bool:
        """The service was removed: requests that are under way store nothing."""
        return False

    def may_create(self, entity: Jid) -> bool:
        """The entity may create nodes."""
        raise NotImplementedError

    def sees_presence(self, entity: Jid) -> bool:
        """The entity is subscribed to the presence of the account that has the nodes."""
        return False

    def is_in_group(self, entity: Jid, groups: Iterable[str]) -> bool:
        """The entity is in one of these groups of the roster of the account that has the nodes."""
        return False

    def tell(self, node: Node, event: Stanza, publisher: Jid | None = None) -> Settled:
        """Send a notification to its receivers."""
        raise NotImplementedError

    async def changed(self, change: Change) -> None:
        """Called when a change is stored and its notifications are sent."""

    # --- nodes

    def node(self, name: str) -> Node:
        """The node of this name. Raises StanzaError."""
        if name not in self.nodes:
            raise no_node(name)
        node = self.nodes[name]
        self.end_leases(node)
        return node

    def create(self, name: str, config: NodeConfig, creator: Jid) -> tuple[Node, Deferred[None]]:
        """A new node, in memory at once; the Deferred fires when it is kept. Raises StanzaError."""
        if len(self.nodes) >= self.bounds.nodes:
            text = f"at most {self.bounds.nodes} nodes are kept"
            raise refusal(Condition.RESOURCE_CONSTRAINT, "max-nodes-exceeded", text)
        owner = Party(creator.bare, "owner")
        record = NodeRecord(name, config, creator.bare, self.now_utc_s())
        node = self.nodes[name] = Node(record, {owner.jid: owner})
        kept = Deferred.fromCoroutine(self.store.put(self.owner, record, owner))
        return node, kept.addErrback(self._not_created, node)

    def _not_created(self, failure: Failure, node: Node) -> Failure:
        """The node could not be stored: forget it."""
        if self.nodes.get(node.name) is node:
            del self.nodes[node.name]
        return failure

    async def configure(self, node: Node, config: NodeConfig) -> None:
        """Change the configuration of a node."""
        fewer = config.max_items < node.config.max_items or not config.persist_items
        node.record = msgspec.structs.replace(node.record, config=config)
        kept = [Deferred.fromCoroutine(self.store.put(self.owner, node.record))]
        if fewer:
            room = self.room(config) if config.persist_items else Room(0, 0)
            kept.append(Deferred.fromCoroutine(self.store.trim(self.owner, node.name, room)))
        for each in kept:
            await each

    def delete(self, node: Node) -> Deferred[None]:
        """Forget a node, in memory at once."""
        del self.nodes[node.name]
        return Deferred.fromCoroutine(self.store.delete(self.owner, node))

    def put_party(self, node: Node, party: Party) -> Deferred[None]:
        """Change an affiliation or subscription, in memory at once."""
        node.put(party)
        if self.is_gone or self.nodes.get(node.name) is not node:  # it was deleted meanwhile
            return succeed(None)
        return Deferred.fromCoroutine(self.store.put_party(self.owner, node.name, party))

    def end_leases(self, node: Node) -> None:
        """End the subscriptions whose time is over, and tell those who had them (section 12.19)."""
        for party in node.ended(self.now_utc_s()):
            ended = msgspec.structs.replace(party, subscription="none", deliver=True, ends_utc_s=0.0)
            kept = self.put_party(node, ended)
            kept.addErrback(partial(log_failed, _log, f"Ending a subscription of {node.name}"))
            self.send(self.events.subscription(self.new_id(), node.name, node.config, ended), [party.jid])

    def check_parties(self) -> None:
        """Raise StanzaError where there is no room for one more affiliation or subscription."""
        if sum(len(node.parties) + len(node.further) for node in self.nodes.values()) >= self.bounds.parties:
            text = f"at most {self.bounds.parties} subscriptions and affiliations are kept"
            raise refusal(Condition.POLICY_VIOLATION, "too-many-subscriptions", text)

    def room(self, config: NodeConfig) -> Room:
        """What there is room for in a node of this configuration."""
        return Room(
            config.max_items, self.bounds.size_bytes, self.expired(config), config.publish_node_full == "reject"
        )

    def expired(self, config: NodeConfig) -> float:
        """What was published before this time is gone; 0 where nothing is."""
        return max(0.0, self.now_utc_s() - config.item_expire) if config.item_expire else 0.0

    # --- notifications

    def send(self, event: Stanza, receivers: Iterable[Jid]) -> Settled:
        """One notification for each of them."""
        jids = [*receivers]
        self.note_copies(event, len(jids))
        return self.route(Copies(event, jids))

    def for_each(self, node: Node, event: Stanza, subscribers: Sequence[Jid]) -> list[tuple[Stanza, list[Jid]]]:
        """The notification for these subscribers, once for each: with the ids of its subscriptions for one that has
        several (section 6.1.6)."""
        if not node.further:
            return [(event, [*subscribers])]
        once: list[Jid] = []
        told = [(event, once)]
        for jid in dict.fromkeys(subscribers):
            subids = [party.subid for party in node.subscriptions_of(jid) if party.deliver]
            if len(subids) > 1:
                told.append((with_subids(event, subids), [jid]))
            else:
                once.append(jid)
        return told

    def note_copies(self, event: Stanza, count: int) -> None:
        """Record how many are notified by what is followed."""
        if event.trace_id and count:
            self.tracer.record(Event.ROUTED, event, f"{count} copies", copies=count)
