"""Personal eventing (XEP-0163): each account is a publish-subscribe service, and presence says who is told of what."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base.recent import Recent
from cluster.base.settled import Settled, all_of, both
from cluster.base.storage import log_failed
from cluster.host.state import MemoryState
from cluster.pubsub import subscribing
from cluster.pubsub.access import may_read
from cluster.pubsub.audience import Audience
from cluster.pubsub.events import with_reply_to
from cluster.pubsub.interests import Interests
from cluster.pubsub.retrieving import last_events
from cluster.pubsub.service import Bounds, Change, PubsubService, Surroundings
from cluster.server.context import ModuleContext
from cluster.server.im.accounts import LocalAccount
from cluster.store.port import RosterItem
from cluster.store.pubsub import AccessModel, Node, NodeConfig
from cluster.xmpp.extensions.caps import Capabilities
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, addressed

MAX_PARTIES = 5_000
"""Subscriptions and affiliations at one account, of all nodes together."""
MAX_WITHOUT_NODES = 100_000
"""Accounts of which it is remembered that they have no nodes."""
DEFAULTS = NodeConfig(access_model="presence", max_items=1)

_log = Logger()

nodes_of: MemoryState[LocalAccount, dict[str, Node]] = MemoryState(lambda account: {})
"""Of an account, which is in memory."""
without_nodes: MemoryState[ModuleContext, Recent] = MemoryState(lambda ctx: Recent(MAX_WITHOUT_NODES))
"""Localparts of accounts that were read and had none."""
audience: MemoryState[ModuleContext, Audience] = MemoryState(lambda ctx: Audience())
interests: MemoryState[ModuleContext, Interests] = MemoryState(lambda ctx: Interests(ctx.questions.ask))


class Pep(PubsubService):
    """The service of one account."""

    access_models: tuple[AccessModel, ...] = ("open", "presence", "roster", "authorize", "whitelist")
    defaults = DEFAULTS

    def __init__(self, ctx: ModuleContext, account: LocalAccount) -> None:
        limit = ctx.limits.pubsub
        surroundings = Surroundings(ctx.store.pubsub, ctx.route, ctx.new_id, ctx.now_utc_s)
        bounds = Bounds(limit.count, MAX_PARTIES, limit.size_bytes, "topology: pubsub_bytes")
        super().__init__(account.jid, account.jid.localpart, nodes_of.of(account), surroundings, bounds)
        self._ctx = ctx
        self._account = account

    @property
    def is_gone(self) -> bool:
        """The account was removed."""
        return self._account.is_removed

    def may_create(self, entity: Jid) -> bool:
        """The account itself (section 2.2)."""
        return entity.bare == self.jid

    def sees_presence(self, entity: Jid) -> bool:
        """By a subscription, or as the account itself."""
        return entity.bare == self.jid or self._account.shows_presence_to(entity)

    def is_in_group(self, entity: Jid, groups: Iterable[str]) -> bool:
        """Of the account's roster."""
        contact = self._account.roster.get(entity.bare)
        return entity.bare == self.jid or (contact is not None and not set(groups).isdisjoint(contact.groups))

    async def changed(self, change: Change) -> None:
        """Modules keep in step what is kept elsewhere too."""
        try:
            await self._ctx.host.run("published", self._ctx, self._account, change)
        except Exception:  # what was published is kept, and its publisher is to know
            _log.failure("A module failed at {node} of {account}", node=change.node, account=str(self.jid))

    def create(self, name: str, config: NodeConfig, creator: Jid) -> tuple[Node, Deferred[None]]:
        """The account is no longer noted as one without nodes."""
        without_nodes.of(self._ctx).discard(self.owner)
        return super().create(name, config, creator)

    async def configure(self, node: Node, config: NodeConfig) -> None:
        """Who may read only now gets the last item (XEP-0060 section 12.2)."""
        heard = audience.of(self._ctx)
        could_before = {jid for jid in heard.who_wants(self.owner, node.name) if self._may_hear(node, jid)}
        await super().configure(node, config)
        for jid in [*heard.who_wants(self.owner, node.name)]:
            if jid not in could_before and self._sends_last(node, jid):
                await self._send_last(jid, [node])

    # --- notifications (section 4.3)

    def tell(self, node: Node, event: Stanza, publisher: Jid | None = None) -> Settled:
        """Tell those who are there and want to hear of the node, and who is subscribed to it by a JID of its own."""
        wanting = [jid for jid in audience.of(self._ctx).who_wants(self.owner, node.name) if self._may_hear(node, jid)]
        bare = {jid.bare for jid in wanting}
        full = set(wanting)
        explicit: list[Jid] = []
        for party in node.subscribers:
            if party.jid in full or party.jid in bare:
                continue
            if self._may_hear(node, party.jid):
                explicit.append(party.jid)
            elif node.name in self.nodes and not may_read(self, node, party.jid):  # section 7.1
                subscribing.cancel(self, node, [party.jid])
        told = self._send(event, [*wanting, *explicit], publisher)
        return both(told, self._ask_contacts())

    def _may_hear(self, node: Node, jid: Jid) -> bool:
        return may_read(self, node, jid) and not self._account.blocks(jid)

    def _send(self, event: Stanza, receivers: Iterable[Jid], publisher: Jid | None) -> Settled:
        """Who sees the account's presence learns which of its resources has published (section 4.3.1)."""
        from_resource = event
        if publisher is not None and publisher.resourcepart and publisher.bare == self.jid:
            from_resource = with_reply_to(event, publisher)
        settled: list[Settled] = []
        for jid in receivers:
            one = addressed(from_resource if self.sees_presence(jid) else event, jid)
            session = self._account.sessions.get(jid.resourcepart) if jid.bare == self.jid else None
            if session is not None:
                session.send(one)
            else:
                settled.append(self.route(one))
        return all_of(settled)

    def _ask_contacts(self) -> Settled:
        """After a crash nobody knows who is there: contacts are asked, and get what they missed when they answer."""
        account = self._account
        if not account.available or not audience.of(self._ctx).ask_contacts_once(self.owner):
            return None
        contacts = [item.jid for item in account.roster.values() if item.subscription in ("to", "both")]
        return all_of(self._ctx.presence.probe(account, contact) for contact in contacts)

    # --- the last items (section 4.3.4)

    def send_last(self, jid: Jid, names: Collection[str]) -> None:
        """Send a resource the last item of each of these nodes that it may have."""
        nodes = [node for node in self.nodes.values() if node.name in names and self._sends_last(node, jid)]
        if nodes:
            sent = Deferred.fromCoroutine(self._send_last(jid, nodes))
            sent.addErrback(lambda failure: log_failed(_log, f"Sending the last items to {jid}", failure))

    def _sends_last(self, node: Node, jid: Jid) -> bool:
        config = node.config
        is_wanted = config.send_last_published_item == "on_sub_and_presence" and config.deliver_notifications
        return is_wanted and config.persist_items and self._may_hear(node, jid)

    async def _send_last(self, jid: Jid, nodes: list[Node]) -> None:
        for event in await last_events(self, nodes):
            settled = self._send(event, [jid], None)
            if settled is not None:
                await settled


# --- who is there: nothing here costs much where there is nothing to send


def came(
    ctx: ModuleContext, account: LocalAccount, jid: Jid, capabilities: Capabilities | None, *, is_known: bool = False
) -> None:
    """A resource sent presence to an account; `is_known`: it has had the last items before (section 4.3.3)."""
    heard, localpart = audience.of(ctx), account.jid.localpart
    if capabilities is None and jid.bare != account.jid:  # nothing will ever be for it
        heard.gone(localpart, jid)
        return
    is_stranger = jid.bare != account.jid and not account.shows_presence_to(jid)
    listener = heard.came(localpart, jid, capabilities, is_stranger=is_stranger)
    if listener is None:
        return
    if capabilities is None:
        listener.wanted = frozenset()
        return

    def learned(wanted: frozenset[str]) -> None:
        if heard.find(localpart, jid) is listener and listener.capabilities == capabilities:
            new, listener.wanted, listener.is_learned = wanted - listener.wanted, wanted, True
            if new and not is_known and nodes_of.of(account):
                Pep(ctx, account).send_last(jid, new)

    interests.of(ctx).learn(account.jid, jid, capabilities, learned)


def welcome(ctx: ModuleContext, account: LocalAccount, contact: Jid) -> None:
    """A contact may see more than before: its resources get the last items."""
    heard, localpart = audience.of(ctx), account.jid.localpart
    for jid in heard.of(localpart, contact):
        if (listener := heard.find(localpart, jid)) is not None:
            Pep(ctx, account).send_last(jid, listener.wanted)


def regrouped(ctx: ModuleContext, account: LocalAccount, before: RosterItem) -> None:
    """A contact is in other groups of the roster than before: its resources get the last items that are new to them."""
    old = set(before.groups)
    nodes = [node.record for node in nodes_of.of(account).values() if node.config.access_model == "roster"]
    new = {record.name for record in nodes if old.isdisjoint(record.config.roster_groups_allowed)}
    heard, localpart = audience.of(ctx), account.jid.localpart
    for jid in heard.of(localpart, before.jid) if new else ():
        if (listener := heard.find(localpart, jid)) is not None:
            Pep(ctx, account).send_last(jid, new & listener.wanted)
