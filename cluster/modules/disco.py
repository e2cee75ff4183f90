"""Service Discovery (XEP-0030): what a domain and its accounts offer, read from the registered handlers."""

from __future__ import annotations

from cluster.host.disco import INFO, add_features, describe
from cluster.host.iq import NOTHING_HANDLES
from cluster.server.accounts import LocalAccount
from cluster.server.context import ModuleContext, ServerModule
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza

ITEMS = "http://jabber.org/protocol/disco#items"
module = ServerModule("disco", ns=INFO, xep=30, version="2.5rc3")


@module.on_iq("get", "query", addressed_to=("domain",))
def domain_info(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The domain is a server for instant messaging; its features are what its modules handle (section 3.1)."""
    node = iq.payload().get("node", "")
    if node and node not in ctx.host.disco_nodes(ctx):
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"there is no disco node {node}")
    query = describe(ctx.host, ctx)
    if node:
        query.set("node", node)
    return iq.reply(query)


@module.on_iq("get", "query", addressed_to=("own", "account"))
async def account_info(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """An account is told apart from none only to those who may see its presence (sections 3.1 and 8)."""
    account = await _visible_account(ctx, iq)
    if account is None:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES)
    query = _empty_node(iq, INFO)
    # XEP-0175 section 5
    SubElement(
        query, f"{{{INFO}}}identity", category="account", type="anonymous" if account.temporary else "registered"
    )
    assert iq.from_ is not None
    add_features(query, ctx.host.features_of("own" if iq.from_.bare == account.jid else "account"))
    return iq.reply(query)


@module.on_iq("get", "query", ns=ITEMS, addressed_to=("domain",))
def domain_items(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The services of the domain (section 4.1): its components."""
    query = _empty_node(iq, ITEMS)
    for component in ctx.components:
        SubElement(query, f"{{{ITEMS}}}item", jid=component)
    return iq.reply(query)


@module.on_iq("get", "query", ns=ITEMS, addressed_to=("own", "account", "nobody"))
async def account_items(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The available resources of an account, for those who may see its presence.

    Nothing for strangers, as where there is no account, whatever the node (section 8).
    """
    account = await _visible_account(ctx, iq)
    if account is None:
        node = iq.payload().get("node")
        return iq.reply(Element(f"{{{ITEMS}}}query", {} if node is None else {"node": node}))
    query = _empty_node(iq, ITEMS)
    for session in account.available:
        SubElement(query, f"{{{ITEMS}}}item", jid=str(session.jid))
    return iq.reply(query)


def _empty_node(iq: Stanza, namespace: str) -> Element:
    if iq.payload().get("node"):
        raise StanzaError(Condition.ITEM_NOT_FOUND, "nothing here has disco nodes")
    return Element(f"{{{namespace}}}query")


async def _visible_account(ctx: ModuleContext, iq: Stanza) -> LocalAccount | None:
    """The account that is asked, if the sender may see it; None for strangers, as where there is none (section 8)."""
    assert iq.from_ is not None
    asked = (iq.to or iq.from_).bare
    account = await ctx.accounts.load(asked.localpart)
    is_public = account is not None and account.temporary and iq.is_payload(INFO, "query")  # XEP-0175 section 5
    if account is None or not (is_public or iq.from_.bare == asked or account.shows_presence_to(iq.from_)):
        return None
    return account
