"""Personal eventing (XEP-0163): each account is a publish-subscribe service, and presence decides who is notified."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.base import reasons
from cluster.base.recent import Recent
from cluster.base.settled import Settled, all_of, both, until_settled
from cluster.base.storage import log_failed
from cluster.host.state import MemoryState
from cluster.pubsub import subscribing
from cluster.pubsub.access import may_read
from cluster.pubsub.audience import NO_NODES, Audience
from cluster.pubsub.events import with_reply_to
from cluster.pubsub.interests import Interests
from cluster.pubsub.retrieving import last_events
from cluster.pubsub.service import Bounds, Change, PubsubService, Surroundings
from cluster.server.context import ModuleContext
from cluster.server.im.accounts import LocalAccount
from cluster.store.port import RosterItem
from cluster.store.pubsub import AccessModel, Node, NodeConfig
from cluster.trace.hop import Event
from cluster.xmpp.copies import Copies
from cluster.xmpp.extensions.caps import Capabilities
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, addressed

MAX_PARTIES = 5_000
"""Subscriptions and affiliations at one account, of all nodes together."""
MAX_WITHOUT_NODES = 100_000
"""How many accounts are remembered to have no nodes."""
DEFAULTS = NodeConfig(access_model="presence", max_items=1)

MAX_NOTED = 20
"""Resources of which the trace of one publication says that they do not ask for it."""

_log = Logger()

nodes_of: MemoryState[LocalAccount, dict[str, Node]] = MemoryState(lambda account: {})
"""The nodes of an account that is in memory."""
without_nodes: MemoryState[ModuleContext, Recent] = MemoryState(lambda ctx: Recent(MAX_WITHOUT_NODES))
"""Localparts of accounts that were loaded and had no nodes."""
audience: MemoryState[ModuleContext, Audience] = MemoryState(lambda ctx: Audience())
interests: MemoryState[ModuleContext, Interests] = MemoryState(lambda ctx: Interests(ctx.questions.ask))


class Pep(PubsubService):
    """The service of one account."""

    access_models: tuple[AccessModel, ...] = ("open", "presence", "roster", "authorize", "whitelist")
    defaults = DEFAULTS

    def __init__(self, ctx: ModuleContext, account: LocalAccount) -> None:
        limit = ctx.limits.pubsub
        surroundings = Surroundings(ctx.store.pubsub, ctx.route, ctx.new_id, ctx.now_utc_s, ctx.tracer)
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
        """Let modules update what is stored elsewhere too, such as the vCard."""
        try:
            await self._ctx.host.run("published", self._ctx, self._account, change)
        except Exception:  # the change is stored, and who made it gets a result
            _log.failure("A module failed at {node} of {account}", node=change.node, account=str(self.jid))

    def create(self, name: str, config: NodeConfig, creator: Jid) -> tuple[Node, Deferred[None]]:
        """Create a node; the account is no longer remembered as one without nodes."""
        without_nodes.of(self._ctx).discard(self.owner)
        return super().create(name, config, creator)

    async def configure(self, node: Node, config: NodeConfig) -> None:
        """Configure a node; resources that may read it only from now on get the last item (XEP-0060 section 12.2)."""
        heard = audience.of(self._ctx)
        could_before = {jid for jid in heard.who_wants(self.owner, node.name) if self._may_hear(node, jid)}
        await super().configure(node, config)
        for jid in [*heard.who_wants(self.owner, node.name)]:
            if jid not in could_before and self._sends_last(node, jid):
                await self._send_last(jid, [node])

    # --- notifications (section 4.3)

    def tell(self, node: Node, event: Stanza, publisher: Jid | None = None) -> Settled:
        """Notify the available resources that want the node, and those with a subscription (section 4.3.2)."""
        self.end_leases(node)
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
                subscribing.cancel_logged(self, node, [party.jid])
        if event.trace_id:
            self._note_who_does_not_want(node, event)
        (_, once), *several = self.for_each(node, event, explicit)
        told = [self._send(event, [*wanting, *once], publisher)]
        told += [self._send(with_ids, jids, publisher) for with_ids, jids in several]
        return all_of([*told, self._ask_contacts()])

    def _note_who_does_not_want(self, node: Node, event: Stanza) -> None:
        """Record for what is followed who could be notified, and does not ask for it."""
        detail = f"no {node.name}+notify in its capabilities"
        able = (jid for jid in audience.of(self._ctx).who_does_not(self.owner, node.name) if self._may_hear(node, jid))
        for jid in islice(able, MAX_NOTED):
            self.tracer.record(Event.ROUTED, addressed(event, jid), detail, reason=reasons.NOT_ASKED_FOR)

    def _may_hear(self, node: Node, jid: Jid) -> bool:
        return may_read(self, node, jid) and not self._account.blocks(jid)

    def _send(self, event: Stanza, receivers: Iterable[Jid], publisher: Jid | None) -> Settled:
        """Send an event; a receiver that sees the account's presence learns the publishing resource (section 4.3.1)."""
        receivers = [*receivers]
        self.note_copies(event, len(receivers))
        if publisher is None or not publisher.resourcepart or publisher.bare != self.jid:
            return self._send_copies(event, receivers)
        seeing: dict[bool, list[Jid]] = {True: [], False: []}
        for jid in receivers:
            seeing[self.sees_presence(jid)].append(jid)
        return both(
            self._send_copies(with_reply_to(event, publisher), seeing[True]), self._send_copies(event, seeing[False])
        )

    def _send_copies(self, event: Stanza, receivers: list[Jid]) -> Settled:
        others: list[Jid] = []
        for to in receivers:
            is_own = to.localpart == self.owner and to.domainpart == self.jid.domainpart
            session = self._account.sessions.get(to.resourcepart) if is_own else None
            if session is None:
                others.append(to)
            else:
                session.send(addressed(event, to))
        return self.route(Copies(event, others))

    def _ask_contacts(self) -> Settled:
        """Probe the contacts after a restart, when their presence is unknown; their answers get them the last items."""
        account = self._account
        if not account.available or not audience.of(self._ctx).ask_contacts_once(self.owner):
            return None
        contacts = [item.jid for item in account.roster.values() if item.subscription in ("to", "both")]
        return all_of(self._ctx.presence.probe(account, contact) for contact in contacts)

    # --- the last items (section 4.3.4)

    def send_last(self, jid: Jid, names: Collection[str]) -> None:
        """Send a resource the last item of each of these nodes that it may read."""
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
            await until_settled(self._send(event, [jid], None))


# --- who is available: cheap where there is nothing to send


def came(
    ctx: ModuleContext, account: LocalAccount, jid: Jid, capabilities: Capabilities | None, *, is_known: bool = False
) -> None:
    """A resource sent presence to an account; `is_known`: it has had the last items before (section 4.3.3)."""
    heard, localpart = audience.of(ctx), account.jid.localpart
    if capabilities is None and jid.bare != account.jid:  # it is never notified by its presence
        heard.gone(localpart, jid)
        return
    is_stranger = jid.bare != account.jid and not account.shows_presence_to(jid)
    listener = heard.came(localpart, jid, capabilities, is_stranger=is_stranger)
    if listener is None:
        return
    if capabilities is None:
        listener.wanted = NO_NODES
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
    """The groups of a contact changed: its resources get the last items of nodes that they may read only now."""
    old = set(before.groups)
    nodes = [node.record for node in nodes_of.of(account).values() if node.config.access_model == "roster"]
    new = {record.name for record in nodes if old.isdisjoint(record.config.roster_groups_allowed)}
    heard, localpart = audience.of(ctx), account.jid.localpart
    for jid in heard.of(localpart, before.jid) if new else ():
        if (listener := heard.find(localpart, jid)) is not None:
            Pep(ctx, account).send_last(jid, new & listener.wanted)
