"""The end of an account (XEP-0077 section 3.2)."""

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
    """Forget an account and all that it had, then end its sessions and tell its contacts.

    In this order, so that a crash on the way leaves no half of it: before, it is as it was; behind, contacts that were
    not told hear from their next probe that there is no such account. `removed` is called when it is final, while the
    sessions can still be told.
    """
    with accounts.removal(account):
        await store.delete(account.jid.localpart)
        removed()
        for session in [*account.sessions.values()]:
            session.end(StreamCondition.NOT_AUTHORIZED, "the account was removed")
        for contact in [*account.roster]:
            subscriptions.remove(account, contact)
