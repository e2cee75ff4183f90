"""The end of an account (XEP-0077 section 3.2)."""

from __future__ import annotations

from cluster.server.accounts import LocalAccount
from cluster.server.subscriptions import Subscriptions
from cluster.store.port import Store
from cluster.xmpp.errors import StreamCondition


async def forget_account(account: LocalAccount, subscriptions: Subscriptions, store: Store) -> None:
    """End its sessions, tell its contacts, and forget all that it had."""
    localpart = account.jid.localpart
    for session in [*account.sessions.values()]:
        session.end(StreamCondition.NOT_AUTHORIZED, "the account was removed")
    for contact in [*account.roster]:
        subscriptions.remove(account, contact)
    await store.offline.delete(localpart)
    await store.documents.delete(localpart)
    await store.archives.delete(localpart)
    await store.rosters.delete(localpart)
    await store.accounts.delete(localpart)
