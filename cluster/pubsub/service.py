"""One publish-subscribe service, whoever has it: its nodes in memory, written through, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from cluster.base.settled import Settled, all_of
from cluster.pubsub.errors import no_node, refusal
from cluster.pubsub.events import Events
from cluster.store.pubsub import AccessModel, Item, Node, NodeConfig, NodeRecord, Party, PubsubStore, Room
from cluster.xmpp.errors import Condition
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, addressed

MAX_NAME_BYTES = 1_023
"""Of a NodeID, and of an ItemID."""


@dataclass(frozen=True)
class Surroundings:
    """What a service needs of where it lives."""

    store: PubsubStore
    route: Callable[[Stanza], Settled]
    new_id: Callable[[], str]
    now_utc_s: Callable[[], float]


@dataclass(frozen=True)
class Bounds:
    """How much a service keeps."""

    nodes: int
    parties: int
    """Affiliations and subscriptions, of all nodes together."""
    size_bytes: int
    """Items, of all nodes together."""
    cause: str
    """Where that is set, for who gets an error."""


class Change(msgspec.Struct, frozen=True):
    """Something is another at a node."""

    node: str
    item: Item | None = None
    """It was published; None where items are gone."""
    by: Jid | None = None
    """Who has done it."""


class PubsubService:
    """The base of both kinds of services, which say who may do what and whom they tell beside the subscribers."""

    access_models: tuple[AccessModel, ...]
    defaults: NodeConfig

    def __init__(
        self, jid: Jid, owner: str, nodes: dict[str, Node], surroundings: Surroundings, bounds: Bounds
    ) -> None:
        """`owner`: by whom the nodes are kept; see `PubsubStore`."""
        self.jid = jid
        self.owner = owner
        self.nodes = nodes
        self.bounds = bounds
        self.store = surroundings.store
        self.new_id = surroundings.new_id
        self.now_utc_s = surroundings.now_utc_s
        self.route = surroundings.route
        self.events = Events(jid)

    # --- what differs

    @property
    def is_gone(self) -> bool:
        """Nothing is kept any more, whatever is under way."""
        return False

    def may_create(self, entity: Jid) -> bool:
        """The entity may create nodes."""
        raise NotImplementedError

    def sees_presence(self, entity: Jid) -> bool:
        """The entity is subscribed to the presence of who has the nodes."""
        return False

    def is_in_group(self, entity: Jid, groups: Iterable[str]) -> bool:
        """The entity is in one of these groups of the roster of who has the nodes."""
        return False

    def tell(self, node: Node, event: Stanza, publisher: Jid | None = None) -> Settled:
        """Send a notification to all who are to have it."""
        raise NotImplementedError

    async def changed(self, change: Change) -> None:
        """Do what else follows from a change, which is kept and told of."""

    # --- nodes

    def node(self, name: str) -> Node:
        """The node of this name. Raises StanzaError."""
        if name not in self.nodes:
            raise no_node(name)
        return self.nodes[name]

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
        """The storage is away: there is no such node."""
        if self.nodes.get(node.name) is node:
            del self.nodes[node.name]
        return failure

    async def configure(self, node: Node, config: NodeConfig) -> None:
        """Another configuration for a node."""
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
        """Another affiliation or subscription, in memory at once."""
        if party.affiliation == party.subscription == "none":
            node.parties.pop(party.jid, None)
        else:
            node.parties[party.jid] = party
        if self.is_gone or self.nodes.get(node.name) is not node:  # it was deleted meanwhile
            return succeed(None)
        return Deferred.fromCoroutine(self.store.put_party(self.owner, node.name, party))

    def check_parties(self) -> None:
        """Raise StanzaError where there is no room for one more affiliation or subscription."""
        if sum(len(node.parties) for node in self.nodes.values()) >= self.bounds.parties:
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
        return all_of(self.route(addressed(event, jid)) for jid in receivers)
