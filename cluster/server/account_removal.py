"""The removal of an account (XEP-0077 section 3.2)."""

from __future__ import annotations

from collections.abc import Callable

from cluster.server.im.accounts import Accounts, LocalAccount
from cluster.server.im.subscriptions import Subscriptions
from cluster.store.port import AccountStore
from cluster.xmpp.errors import StreamCondition


async def remove(
    account: LocalAccount,
    accounts: Accounts,
    store: AccountStore,
    subscriptions: Subscriptions,
    removed: Callable[[], object],
) -> None:
    """Remove an account and all its data, then end its sessions and tell its contacts.

    This order leaves no half of an account after a crash: before the removal nothing has changed; after it, contacts
    that were not told learn from their next probe that the account does not exist. `removed` is called when the removal
    is final, while the sessions can still be told.
    """
    with accounts.removal(account):
        await store.delete(account.jid.localpart)
        removed()
        for session in [*account.sessions.values()]:
            session.end(StreamCondition.NOT_AUTHORIZED, "the account was removed")
        for contact in [*account.roster]:
            subscriptions.remove(account, contact)
