"""Blocking Command (XEP-0191): the list of whom an account does not want to hear of.

What the list does to stanzas is in server/entrance.py, server/domain.py and server/presence.py; it is in memory with
its account.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from cluster.server.accounts import LocalAccount
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.session import Session
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.stanza import Stanza, make

NS = "urn:xmpp:blocking"
MAX_BLOCKED = 1_000
"""Addresses in one list; one more is refused with `resource-constraint`."""
MAX_LIST_BYTES = 131_072
"""Of them together."""

module = ServerModule("blocking", ns=NS, xep=191, version="1.3")


@module.on("load")
async def load(ctx: ModuleContext, account: LocalAccount, about: None) -> bool:
    """Bring the list into memory."""
    document = await ctx.store.documents.get(account.jid.localpart, NS)
    if document is not None:
        account.blocked = frozenset(_jids(xml.parse(document)))
    return False


@module.on_iq("get", "blocklist", addressed_to=("own",))
def show(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The whole list; whoever asks gets its changes from now on (section 3.2)."""
    session = _session(ctx, iq)
    session.follows_blocks = True
    return iq.reply(_element("blocklist", session.account.blocked))


@module.on_iq("set", "block", addressed_to=("own",))
async def block(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Nothing passes any more; to who may see the account, it goes offline (section 3.3)."""
    account = _session(ctx, iq).account
    jids = list(_jids(iq.payload()))
    if not jids:
        raise StanzaError(Condition.BAD_REQUEST, "no JID to block")
    blocked = account.blocked.union(jids)
    if len(blocked) > MAX_BLOCKED or sum(len(str(jid).encode()) for jid in blocked) > MAX_LIST_BYTES:
        text = f"a block list has at most {MAX_BLOCKED} addresses of {MAX_LIST_BYTES} bytes"
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, text)
    viewers = [viewer for viewer in _viewers(account, jids) if not account.blocks(viewer)]
    account.blocked = blocked
    for viewer in viewers:
        ctx.presence.hide_from(account, viewer)
    for session in account.sessions.values():
        ctx.presence.take_back_directed(session, account.blocks)
    await _changed(ctx, account, _element("block", jids))
    return iq.reply()


@module.on_iq("set", "unblock", addressed_to=("own",))
async def unblock(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Everything passes again, of the addresses given or of all; who may see the account sees it (section 3.4)."""
    account = _session(ctx, iq).account
    query = iq.payload()
    jids = list(_jids(query))
    freed = account.blocked.intersection(jids) if len(query) else account.blocked
    account.blocked -= freed
    for viewer in _viewers(account, freed):
        if not account.blocks(viewer):
            ctx.presence.show_to(account, viewer)
    for contact in _contacts(account, freed, "to"):  # what they said meanwhile never arrived
        if not account.blocks(contact):
            ctx.presence.probe(account, contact)
    await _changed(ctx, account, _element("unblock", jids))
    return iq.reply()


def _session(ctx: ModuleContext, iq: Stanza) -> Session:
    session = ctx.session(iq.from_)
    if session is None:
        raise StanzaError(Condition.FORBIDDEN)
    return session


def _jids(query: Element) -> Iterator[Jid]:
    for item in query.findall(f"{{{NS}}}item"):
        try:
            yield Jid.parse(item.get("jid", ""))
        except JidError as error:
            raise StanzaError(Condition.JID_MALFORMED, str(error)) from None


def _element(name: str, jids: Iterable[Jid]) -> Element:
    element = Element(f"{{{NS}}}{name}")
    for jid in sorted(jids):
        SubElement(element, f"{{{NS}}}item", jid=str(jid))
    return element


def _viewers(account: LocalAccount, blocked: Collection[Jid]) -> list[Jid]:
    """Of these addresses, those that may see the account's presence; of a domain, the contacts there."""
    return _contacts(account, blocked, "from")


def _contacts(account: LocalAccount, addresses: Collection[Jid], subscription: str) -> list[Jid]:
    """The addresses that are contacts with this subscription, or resources of contacts; for a domain its contacts."""
    found: set[Jid] = set()
    for item in account.roster.values():
        if item.subscription in (subscription, "both"):
            found.update(jid for jid in addresses if jid.bare == item.jid)
            if Jid("", item.jid.domainpart) in addresses:
                found.add(item.jid)
    return sorted(found)


async def _changed(ctx: ModuleContext, account: LocalAccount, change: Element) -> None:
    """Push it to the resources that asked for the list, and store the list (section 3.3)."""
    for session in account.sessions.values():
        if session.follows_blocks:
            session.send(make("iq", from_=account.jid, to=session.jid, id=ctx.new_id(), type="set", payload=[change]))
    document = xml.serialize(_element("blocklist", account.blocked)) if account.blocked else b""
    await ctx.store.documents.put(account.jid.localpart, NS, document)
