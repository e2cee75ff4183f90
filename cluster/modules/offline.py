"""Offline messages (XEP-0160): kept while nobody is there, delivered with their delay stamp (XEP-0203)."""

from __future__ import annotations

from cluster.server.accounts import LocalAccount
from cluster.server.context import ModuleContext
from cluster.server.module import Module
from cluster.server.session import Session
from cluster.store.port import OfflineMessage
from cluster.xmpp.delay import delayed
from cluster.xmpp.namespaces import HINTS
from cluster.xmpp.stanza import Stanza

_NO_STORE = f"{HINTS} no-store"

module = Module("offline", ns="msgoffline", xep=160, version="1.0.1")


@module.on("store")
async def keep(ctx: ModuleContext, account: LocalAccount, stanza: Stanza) -> bool:
    """Keep a message, with a body or without: what is encrypted, receipts, calls (XEP-0160 section 3).

    What is too much comes back to its sender (section 2), and what may not be stored (XEP-0334 section 4.2).
    """
    if _NO_STORE in stanza.payloads:
        return False
    message = OfflineMessage(stanza, ctx.now_utc_s())
    return await ctx.store.offline.push(account.jid.localpart, message, ctx.offline_messages)


@module.on("available")
async def deliver(ctx: ModuleContext, account: LocalAccount, session: Session) -> bool:
    """Everything that waits goes to the session that came, oldest first, before anything newer.

    Where that has gone again before the store has answered, to another that takes messages; else it waits on.
    """
    if not ctx.hold(account):
        return False
    localpart = account.jid.localpart
    try:
        waiting = await ctx.store.offline.load(localpart)
        receiver = next((each for each in (session, *account.best()) if each.willing), None)
        if receiver is not None:
            for message in waiting:
                receiver.send(delayed(message.stanza, ctx.domain, message.stored_utc_s))
            await ctx.store.offline.drop(localpart, len(waiting))
    finally:
        ctx.release(account)
    return False
