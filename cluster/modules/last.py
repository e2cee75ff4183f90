"""Last Activity (XEP-0012): how long the server has been up, and since when an account is away."""

from __future__ import annotations

import msgspec

from cluster.host.state import AccountState
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


class Left(msgspec.Struct, frozen=True):
    """When the last session went."""

    stamp: str
    unavailable: str = ""
    """When it became unavailable; empty if it never was available."""
    status: str | None = None
    """With which it left."""


def _read(document: Element) -> Left:
    return Left(document.get("stamp", ""), document.get("unavailable", ""), document.text)


def _written(last: Left | None) -> Element:
    assert last is not None
    document = Element(f"{{{NS}}}left", stamp=last.stamp)
    if last.unavailable:
        document.set("unavailable", last.unavailable)
    document.text = last.status
    return document


left: AccountState[Left | None] = module.account_state(read=_read, write=_written, default=None)


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
    last = left.of(account)
    if last is None:
        raise StanzaError(Condition.ITEM_NOT_FOUND, "this account has never been here")
    return iq.reply(_query(ctx.now_utc_s() - timestamp.parse(last.stamp), last.status))


@module.guard("query")
def only_for_contacts(ctx: ModuleContext, account: LocalAccount, iq: Stanza) -> None:
    """Strangers get `forbidden`, also for requests to a resource (sections 3, 4 and 8)."""
    assert iq.from_ is not None
    if not (iq.from_.bare == account.jid or account.shows_presence_to(iq.from_)):
        raise StanzaError(Condition.FORBIDDEN)


@module.on("load")
async def recall(ctx: ModuleContext, account: LocalAccount, about: None) -> bool:
    """Load when it became unavailable, which probes are told (RFC 6121 section 4.3.2)."""
    last = left.of(account)
    account.left_utc_s = timestamp.parse(last.unavailable) if last is not None and last.unavailable else None
    return False


@module.on("gone")
async def remember(ctx: ModuleContext, account: LocalAccount, session: Session) -> bool:
    """Store when the last session went, and the status with which it left (section 3)."""
    if not account.sessions:
        unavailable = "" if account.left_utc_s is None else timestamp.to_text(account.left_utc_s)
        said = session.farewell
        status = None if said is None else xml.text_of(said.tree, f"{{{CLIENT}}}status")
        last = Left(timestamp.to_text(ctx.now_utc_s()), unavailable, status and status[:MAX_STATUS_CHARACTERS])
        left.set(account, last)
        await left.save(ctx.store.documents, account)
    return False


def _query(seconds: float, status: str | None = None) -> Element:
    query = Element(f"{{{NS}}}query", seconds=str(int(max(seconds, 0))))
    query.text = status
    return query
