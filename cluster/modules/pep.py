"""Personal eventing (XEP-0163): avatars, nicknames, bookmarks, keys and moods of accounts, and who is told of them."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.base.settled import Settled
from cluster.host.iq import NOTHING_HANDLES
from cluster.host.module import Item
from cluster.pubsub import discovery, pending, requests, subscribing
from cluster.pubsub.errors import OWNER, PUBSUB
from cluster.pubsub.pep import Pep, audience, came, nodes_of, regrouped, welcome, without_nodes
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.store.port import RosterItem
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import caps
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

module = ServerModule("pep", ns=PUBSUB, xep=163, version="1.2.2")
module.identity("pubsub", "pep", addressed_to=("own", "account"))
FEATURES = discovery.FEATURES | {
    f"{PUBSUB}#{name}"
    for name in ("access-presence", "auto-subscribe", "filtered-notifications", "presence-notifications",
                 "presence-subscribe", "pubsub-on-a-jid")
}  # fmt: skip
"""XEP-0163 section 5, XEP-0060 section 9."""
module.account_features = {*FEATURES}
module.contact_features = {*FEATURES}


@module.on("load")
async def load(ctx: ModuleContext, account: LocalAccount, about: None) -> bool:
    """The nodes come into memory with the account."""
    localpart = account.jid.localpart
    nodes = await ctx.store.pubsub.load(localpart)
    nodes_of.set(account, nodes)
    if not nodes:
        without_nodes.of(ctx).add(localpart)
    return False


@module.on_iq("get", "pubsub", addressed_to=("own", "account"))
@module.on_iq("set", "pubsub", addressed_to=("own", "account"))
@module.on_iq("get", "pubsub", ns=OWNER, addressed_to=("own", "account"))
@module.on_iq("set", "pubsub", ns=OWNER, addressed_to=("own", "account"))
async def answer(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """All of XEP-0060, at the account that is asked."""
    assert iq.from_ is not None
    account = await ctx.accounts.load((iq.to or iq.from_).localpart)
    if account is None or account.temporary or account.is_removed:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES)
    pep = Pep(ctx, account)
    if not pep.sees_presence(iq.from_) and not _names_a_node(pep, iq):
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES)
    return await requests.handle(pep, iq, iq.from_)


@module.on_iq("set", "command", ns=pending.COMMANDS, addressed_to=("own",))
async def command(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The one command of XEP-0060 section 8.7."""
    assert iq.from_ is not None
    account = await ctx.accounts.load(iq.from_.localpart)
    if account is None or account.temporary or account.is_removed:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES)
    return await pending.run(Pep(ctx, account), iq)


def _names_a_node(pep: Pep, iq: Stanza) -> bool:
    """Only then a stranger gets a refusal with its reason; otherwise it could learn which accounts exist."""
    return any(child.get("node") in pep.nodes for child in iq.payload())


@module.on_message("sent")
def authorize(ctx: ModuleContext, session: Session, copy: Stanza) -> tuple[Stanza, Settled]:
    """The account says who may subscribe to a node of its own (XEP-0060 section 8.6)."""
    if copy.to != session.account.jid or not subscribing.is_authorization(copy):
        return copy, None
    pep = Pep(ctx, session.account)
    return copy, Deferred.fromCoroutine(subscribing.authorize(pep, copy)).addErrback(_ignored)


def _ignored(failure: Failure) -> None:
    """The message itself reaches the other resources whatever it says."""
    failure.trap(StanzaError)


# --- presence


@module.on_presence("sent")
def come(ctx: ModuleContext, session: Session, presence: Stanza) -> Settled:
    """The account's own resources are told as well; at its first presence, all contacts are asked for theirs."""
    account = session.account
    if account.temporary:
        return None
    localpart = account.jid.localpart
    if audience.of(ctx).find(localpart, session.jid) is None:
        audience.of(ctx).ask_contacts_once(localpart)
    came(ctx, account, session.jid, caps.read(presence))
    return None


@module.on("restored")
async def restored(ctx: ModuleContext, account: LocalAccount, session: Session) -> bool:
    """A session that goes on after a restart has had the last items."""
    if session.presence is not None and not account.temporary:
        came(ctx, account, session.jid, caps.read(session.presence), is_known=True)
    return False


@module.on_presence("concerns")
def concerns(ctx: ModuleContext, presence: Stanza, is_alone: bool) -> bool:
    """An offline account without nodes needs no presence: when it comes online, its contacts are probed.

    Resources that have gone are forgotten here, without loading the account.
    """
    assert presence.to is not None
    empty, localpart = without_nodes.of(ctx), presence.to.localpart
    if not is_alone:
        empty.clear()  # another node may make the first node of an account
    if presence.type is None and caps.read(presence) is not None:
        return localpart not in empty
    if presence.from_ is not None:
        audience.of(ctx).gone(localpart, presence.from_)
    return False


@module.on_presence("received")
def meet(ctx: ModuleContext, account: LocalAccount, presence: Stanza) -> Settled:
    """A contact or a stranger is available (XEP-0060 sections 9.1.2 and 9.1.3)."""
    sender = presence.from_
    if sender is not None and sender.bare != account.jid and not account.temporary:
        came(ctx, account, sender, caps.read(presence))
    return None


@module.on_presence("shown")
def show(ctx: ModuleContext, account: LocalAccount, contact: Jid) -> Settled:
    """A contact may see the account from now on, so it gets what was published before (XEP-0060 section 12.2)."""
    welcome(ctx, account, contact)
    return None


@module.on_presence("regrouped")
def regroup(ctx: ModuleContext, account: LocalAccount, before: RosterItem) -> Settled:
    """A contact may be in a group for which a node is from now on, so it gets the last item (section 12.2)."""
    regrouped(ctx, account, before)
    return None


@module.on_presence("gone")
def leave(ctx: ModuleContext, account: LocalAccount, presence: Stanza) -> Settled:
    """A resource is not available any more."""
    if presence.from_ is not None:
        audience.of(ctx).gone(account.jid.localpart, presence.from_)
    return None


# --- service discovery


@module.disco_info_of_nodes
async def node_info(ctx: ModuleContext, account: LocalAccount, iq: Stanza, name: str) -> Element:
    """What a node is (XEP-0060 section 5.4)."""
    assert iq.from_ is not None
    of_command = pending.info(name) if iq.from_.bare == account.jid else None
    return discovery.describe(Pep(ctx, account), name, iq.from_) if of_command is None else of_command


@module.disco_items_of_nodes
async def node_items(ctx: ModuleContext, account: LocalAccount, iq: Stanza, name: str) -> Iterable[Item]:
    """The nodes to which the sender could subscribe, or the items of one (section 5.5; XEP-0163 section 6.2)."""
    assert iq.from_ is not None
    pep = Pep(ctx, account)
    if name == pending.COMMANDS and iq.from_.bare == account.jid:
        return pending.listed(pep)
    if name:
        return [Item(pep.jid, name=id) for id in await discovery.item_ids(pep, name, iq.from_)]
    return [Item(pep.jid, node.name, node.config.title) for node in discovery.visible(pep, iq.from_)]
