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
    """The account, for senders who may see its presence; strangers cannot tell whether it exists (sections 3.1 and
    8)."""
    account = await _visible_account(ctx, iq)
    if account is None:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES)
    query = _empty_node(iq, INFO)
    asked = _asked(iq, account)
    kind = Identity("account", "anonymous" if account.temporary else "registered")  # XEP-0175 section 5
    add_identities(query, [kind, *ctx.host.identities(asked)])
    add_features(query, ctx.host.features_of(asked))
    return iq.reply(query)


@module.on_iq("get", "query", ns=ITEMS, addressed_to=("domain",))
async def domain_items(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The items of the domain (section 4.1)."""
    query = _empty_node(iq, ITEMS)
    add_items(query, await ctx.host.items(ctx, "domain"))
    return iq.reply(query)


@module.disco_items(addressed_to=("domain",))
async def services(ctx: ModuleContext, about: None) -> list[Item]:
    """The services of the domain."""
    return [Item(Jid("", service)) for service in ctx.services]


@module.on_iq("get", "query", ns=ITEMS, addressed_to=("own", "account", "nobody"))
async def account_items(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The items of an account, for senders who may see its presence.

    Strangers get an empty list, as for an unknown account, whatever the node (section 8).
    """
    account = await _visible_account(ctx, iq)
    if account is None:
        node = iq.payload().get("node")
        return iq.reply(Element(f"{{{ITEMS}}}query", {} if node is None else {"node": node}))
    query = _empty_node(iq, ITEMS)
    add_items(query, await ctx.host.items(ctx, _asked(iq, account), account))
    return iq.reply(query)


@module.disco_items(addressed_to=("own", "account"))
async def resources(ctx: ModuleContext, account: LocalAccount) -> list[Item]:
    """The available resources of an account."""
    return [Item(session.jid) for session in account.available]


def _asked(iq: Stanza, account: LocalAccount) -> AddressedTo:
    return "own" if iq.from_ is not None and iq.from_.bare == account.jid else "account"


def _empty_node(iq: Stanza, namespace: str) -> Element:
    if iq.payload().get("node"):
        raise StanzaError(Condition.ITEM_NOT_FOUND, "nothing here has disco nodes")
    return Element(f"{{{namespace}}}query")


async def _visible_account(ctx: ModuleContext, iq: Stanza) -> LocalAccount | None:
    """The account of the request, if the sender may see it; None for strangers, as for an unknown account (section
    8)."""
    assert iq.from_ is not None
    asked = (iq.to or iq.from_).bare
    account = await ctx.accounts.load(asked.localpart)
    is_public = account is not None and account.temporary and iq.is_payload(INFO, "query")  # XEP-0175 section 5
    if account is None or not (is_public or iq.from_.bare == asked or account.shows_presence_to(iq.from_)):
        return None
    return account
