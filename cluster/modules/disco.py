"""Service Discovery (XEP-0030) of a domain and its accounts, as their modules declare it."""

from __future__ import annotations

from cluster.host.disco import INFO, ITEMS, add_features, add_identities, add_items, describe
from cluster.host.iq import NOTHING_HANDLES
from cluster.host.module import AddressedTo, Identity, Item
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

module = ServerModule("disco", ns=INFO, xep=30, version="2.5rc3")
module.identity("server", "im", "xmpplab")


@module.on_iq("get", "query", addressed_to=("domain",))
def domain_info(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Identities and features of the domain, from its modules (section 3.1)."""
    node = iq.payload().get("node", "")
    if node and node not in ctx.host.disco_nodes(ctx):
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"no disco node {node}")
    query = describe(ctx.host, ctx)
    if node:
        query.set("node", node)
    return iq.reply(query)


@module.on_iq("get", "query", addressed_to=("own", "account"))
async def account_info(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """An account is told apart from none only to those who may see its presence (sections 3.1 and 8)."""
    account, is_visible = await _account(ctx, iq)
    if account is None:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES)
    if node := iq.payload().get("node"):
        return iq.reply(await _node_info(ctx, account, iq, node, is_visible))
    if not is_visible:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES)
    query = Element(f"{{{INFO}}}query")
    asked = _asked(iq, account)
    kind = Identity("account", "anonymous" if account.temporary else "registered")  # XEP-0175 section 5
    add_identities(query, [kind, *([] if account.temporary else ctx.host.identities(asked))])
    add_features(query, ctx.host.features_of(asked))
    return iq.reply(query)


@module.on_iq("get", "query", ns=ITEMS, addressed_to=("domain",))
async def domain_items(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """What there is below the domain (section 4.1)."""
    if node := iq.payload().get("node"):
        raise _no_node(node)
    query = Element(f"{{{ITEMS}}}query")
    add_items(query, await ctx.host.items(ctx, "domain"))
    return iq.reply(query)


@module.disco_items(addressed_to=("domain",))
async def services(ctx: ModuleContext, about: None) -> list[Item]:
    """The services of the domain."""
    return [Item(Jid("", service)) for service in ctx.services]


@module.on_iq("get", "query", ns=ITEMS, addressed_to=("own", "account", "nobody"))
async def account_items(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The items of an account, for senders who may see its presence.

    For strangers only nodes that are open to them; else nothing, as where there is no account (section 8).
    """
    account, is_visible = await _account(ctx, iq)
    node = iq.payload().get("node")
    query = Element(f"{{{ITEMS}}}query", {} if node is None else {"node": node})
    if account is not None and is_visible and not node:
        add_items(query, await ctx.host.items(ctx, _asked(iq, account), account))
    if account is not None:
        add_items(query, await _node_items(ctx, account, iq, node or "", is_visible))
    return iq.reply(query)


async def _node_info(ctx: ModuleContext, account: LocalAccount, iq: Stanza, node: str, is_visible: bool) -> Element:
    """What a node of the account says of itself (section 3.2)."""
    error = _no_node(node)
    for info in ctx.host.account_node_info:
        try:
            query = await info(ctx, account, iq, node)
            query.set("node", node)
            return query
        except StanzaError as said:
            error = said
    raise error if is_visible else StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES)


async def _node_items(ctx: ModuleContext, account: LocalAccount, iq: Stanza, node: str, is_visible: bool) -> list[Item]:
    """What is below a node of the account, or which nodes it has (section 4.2)."""
    error = _no_node(node) if node else None
    found: list[Item] = []
    for items in ctx.host.account_node_items:
        try:
            found += await items(ctx, account, iq, node)
            error = None
        except StanzaError as said:
            error = said
    if error is not None and is_visible:
        raise error
    return found


def _no_node(node: str) -> StanzaError:
    return StanzaError(Condition.ITEM_NOT_FOUND, f"no disco node {node}")


@module.disco_items(addressed_to=("own", "account"))
async def resources(ctx: ModuleContext, account: LocalAccount) -> list[Item]:
    """The available resources of an account."""
    return [Item(session.jid) for session in account.available]


def _asked(iq: Stanza, account: LocalAccount) -> AddressedTo:
    return "own" if iq.from_ is not None and iq.from_.bare == account.jid else "account"


async def _account(ctx: ModuleContext, iq: Stanza) -> tuple[LocalAccount | None, bool]:
    """The account that is asked, and whether the sender may see it; strangers may not (section 8)."""
    assert iq.from_ is not None
    asked = (iq.to or iq.from_).bare
    account = await ctx.accounts.load(asked.localpart)
    if account is None:
        return None, False
    is_public = account.temporary and iq.is_payload(INFO, "query")  # XEP-0175 section 5
    return account, is_public or iq.from_.bare == asked or account.shows_presence_to(iq.from_)
