"""Roster management (RFC 6121 section 2)."""

from __future__ import annotations

import msgspec

from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.accounts import LocalAccount
from cluster.server.im.roster import MAX_ITEM_BYTES, item_element, roster_element, size_of
from cluster.server.im.subscriptions import INTERESTED
from cluster.store.port import RosterItem
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid, JidError
from cluster.xmpp.namespaces import ROSTER, SUBSCRIPTION_PRE_APPROVAL
from cluster.xmpp.stanza import Stanza

MAX_NAME_BYTES = 1_023
"""Of a contact's name, and of a group's (RFC 6121 section 2.3.3 leaves the limit to the server)."""

module = ServerModule("roster", ns=ROSTER)
module.session_states.append(INTERESTED)


@module.stream_feature("after login")
def offer_versions(ctx: ModuleContext) -> Element:
    """RFC 6121 section 2.6.1."""
    return Element("{urn:xmpp:features:rosterver}ver")


@module.stream_feature("after login")
def offer_pre_approval(ctx: ModuleContext) -> Element:
    """RFC 6121 section 3.4.1."""
    return Element(f"{{{SUBSCRIPTION_PRE_APPROVAL}}}sub")


@module.on_iq("get", "query", addressed_to=("own",))
def send_roster(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The whole roster; the session gets pushes of its changes from now on (section 2.2)."""
    session = ctx.session(iq.from_)
    if session is None:
        raise StanzaError(Condition.FORBIDDEN)
    INTERESTED.set(session, True)
    account = session.account
    if iq.payload().get("ver") == account.roster.version:  # the client has it already (section 2.6.3)
        return iq.reply()
    return iq.reply(roster_element(account.roster, *(item_element(i) for i in account.roster.values() if i.listed)))


@module.on_iq("set", "query", addressed_to=("own",))
async def change_roster(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Add, change or remove one contact (sections 2.3 to 2.5)."""
    session = ctx.session(iq.from_)
    if session is None:
        raise StanzaError(Condition.FORBIDDEN)
    items = iq.payload().findall(f"{{{ROSTER}}}item")
    if len(items) != 1:
        raise StanzaError(Condition.BAD_REQUEST, "a roster set has exactly one item")
    contact = _contact(items[0])
    if items[0].get("subscription") == "remove":
        if contact not in session.account.roster or not session.account.roster[contact].listed:
            raise StanzaError(Condition.ITEM_NOT_FOUND, f"{contact} is not in the roster")
        removed = ctx.subscriptions.remove(session.account, contact)
        if removed is not None:
            await removed
    else:
        changed = ctx.subscriptions.put(session.account, _changed(session.account, contact, items[0]))
        if changed is not None:
            await changed
    return iq.reply()


def _contact(item: Element) -> Jid:
    try:
        return Jid.parse(item.get("jid", "")).bare
    except JidError as error:
        raise StanzaError(Condition.JID_MALFORMED, str(error)) from None


def _changed(account: LocalAccount, contact: Jid, item: Element) -> RosterItem:
    """The item with the name and groups of the client; a client cannot set the subscription."""
    name = item.get("name", "")
    groups = tuple(group.text or "" for group in item.findall(f"{{{ROSTER}}}group"))
    # section 2.3.3
    if len(set(groups)) < len(groups):
        raise StanzaError(Condition.BAD_REQUEST, "duplicate group")
    if "" in groups:
        raise StanzaError(Condition.NOT_ACCEPTABLE, "a group has no name")
    if any(len(text.encode()) > MAX_NAME_BYTES for text in (name, *groups)):
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"a name has at most {MAX_NAME_BYTES} bytes")
    known = account.roster.get(contact) or RosterItem(contact)
    changed = msgspec.structs.replace(known, name=name, groups=groups, listed=True)
    if size_of(changed) > MAX_ITEM_BYTES:
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"a contact has at most {MAX_ITEM_BYTES} bytes with its groups")
    account.roster.check(changed)
    return changed
