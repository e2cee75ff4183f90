"""Tells modules of the documents that clients store, for those that store them elsewhere too."""

from __future__ import annotations

from twisted.logger import Logger

from cluster.server.context import ModuleContext
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid

_log = Logger()


async def tell_kept(ctx: ModuleContext, client: Jid, document: Element) -> None:
    """Call the hook `kept`: a client has stored a vCard or private XML."""
    account = await ctx.accounts.load(client.localpart)
    if account is None or account.is_removed:
        return
    try:
        await ctx.host.run("kept", ctx, account, document)
    except Exception:  # the document is stored, and the client gets a result
        _log.failure("A module failed at a document of {client}", client=str(client))
