"""What clients have kept as documents of their accounts, for the modules that keep it elsewhere too."""

from __future__ import annotations

from twisted.logger import Logger

from cluster.host.module import Kept
from cluster.server.context import ModuleContext
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid

_log = Logger()


async def tell_kept(ctx: ModuleContext, client: Jid, document: Element) -> None:
    """A client had a vCard or private XML kept: call the hook `kept`."""
    account = await ctx.accounts.load(client.localpart)
    if account is None or account.is_removed:
        return
    try:
        await ctx.host.run("kept", ctx, account, Kept(document, client))
    except Exception:  # it is kept, and the client is to know
        _log.failure("A module failed at what {client} had kept", client=str(client))
