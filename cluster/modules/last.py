"""Last Activity (XEP-0012): how long the server has been up, and since when an account is away."""

from __future__ import annotations

from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza

NS = "jabber:iq:last"
MAX_STATUS_CHARACTERS = 1_023
"""Of the status with which an account left; the rest is cut."""
module = ServerModule("last", ns=NS, xep=12, version="2.0")


@module.on_iq("get", "query", addressed_to=("domain",))
def uptime(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """How long the server has been running (section 5)."""
    return iq.reply(_query(ctx.uptime_s()))


@module.on_iq("get", "query", addressed_to=("own", "account"))
async def last_seen(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Since when the account is away, and the status with which it left (section 3)."""
    assert iq.from_ is not None
    account = await ctx.accounts.load((iq.to or iq.from_).localpart)
    if account is None:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE)
    only_for_contacts(ctx, account, iq)
    if account.sessions:
        return iq.reply(_query(0))
    document = await ctx.store.documents.get(account.jid.localpart, NS)
    if document is None:
        raise StanzaError(Condition.ITEM_NOT_FOUND, "this account has never been here")
    left = xml.parse(document)
    return iq.reply(_query(ctx.now_utc_s() - timestamp.parse(left.get("stamp", "")), left.text))


@module.guard("query")
def only_for_contacts(ctx: ModuleContext, account: LocalAccount, iq: Stanza) -> None:
    """Strangers get `forbidden`, also for requests to a resource (sections 3, 4 and 8)."""
    assert iq.from_ is not None
    if not (iq.from_.bare == account.jid or account.shows_presence_to(iq.from_)):
        raise StanzaError(Condition.FORBIDDEN)


@module.on("load")
async def recall(ctx: ModuleContext, account: LocalAccount, about: None) -> bool:
    """Load when it became unavailable, which probes are told (RFC 6121 section 4.3.2)."""
    document = await ctx.store.documents.get(account.jid.localpart, NS)
    unavailable = "" if document is None else xml.parse(document).get("unavailable", "")
    account.left_utc_s = timestamp.parse(unavailable) if unavailable else None
    return False


@module.on("gone")
async def remember(ctx: ModuleContext, account: LocalAccount, session: Session) -> bool:
    """Store when the last session went, and the status with which it left (section 3)."""
    if not account.sessions:
        left = Element(f"{{{NS}}}left", stamp=timestamp.to_text(ctx.now_utc_s()))
        if account.left_utc_s is not None:
            left.set("unavailable", timestamp.to_text(account.left_utc_s))
        if session.farewell is not None:
            status = xml.text_of(session.farewell.tree, f"{{{CLIENT}}}status")
            left.text = status and status[:MAX_STATUS_CHARACTERS]
        await ctx.store.documents.put(account.jid.localpart, NS, xml.serialize(left))
    return False


def _query(seconds: float, status: str | None = None) -> Element:
    query = Element(f"{{{NS}}}query", seconds=str(int(max(seconds, 0))))
    query.text = status
    return query
