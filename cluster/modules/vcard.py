"""vcard-temp (XEP-0054): the vCard of an account, for everybody to read, with the avatar of XEP-0153.

The hash of the avatar in the client's presence passes unchanged: XEP-0153 demands no more of a server.
"""

from __future__ import annotations

from cluster.host.iq import NOTHING_HANDLES
from cluster.server.context import ModuleContext, ServerModule
from cluster.server.im.kept import tell_kept
from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.stanza import Stanza

NS = "vcard-temp"
MAX_BYTES = 131_072
"""Avatars should have less than 8 KiB (XEP-0153 section 4.6), but clients do send more."""

module = ServerModule("vcard", ns=NS, xep=54, version="1.3.0")


@module.on_iq("get", "vCard", addressed_to=("own",))
async def own_vcard(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The vCard that the account published (section 3.1)."""
    assert iq.from_ is not None
    document = await ctx.store.documents.get(iq.from_.localpart, NS)
    if document is None:
        raise StanzaError(Condition.ITEM_NOT_FOUND, "this account has no vCard")
    return iq.reply(xml.parse(document))


@module.on_iq("set", "vCard", addressed_to=("own",))
async def publish(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """A new vCard in place of the old one (section 3.2)."""
    assert iq.from_ is not None
    document = xml.serialize(iq.payload())
    if len(document) > MAX_BYTES:
        raise StanzaError(Condition.POLICY_VIOLATION, f"a vCard has at most {MAX_BYTES} bytes")
    await ctx.store.documents.put(iq.from_.localpart, NS, document)
    await tell_kept(ctx, iq.from_, iq.payload())
    return iq.reply()


@module.on_iq("get", "vCard", addressed_to=("account",))
async def others_vcard(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """The vCard of another account (section 3.3). Without one the answer is that for an unknown account."""
    assert iq.to is not None
    document = await ctx.store.documents.get(iq.to.localpart, NS)
    if document is None:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, NOTHING_HANDLES)
    return iq.reply(xml.parse(document))


@module.on_iq("set", "vCard", addressed_to=("account",))
def refuse(ctx: ModuleContext, iq: Stanza) -> Stanza:
    """Nobody publishes for another account (section 3.2)."""
    raise StanzaError(Condition.FORBIDDEN, "a vCard is its own account's to change")
