"""What the operator of a lab asks of a running server: its state, and its accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cluster.server.components.component import Component
from cluster.server.domain import Domain
from cluster.xmpp.jid import prepare_localpart

MAX_FOLLOW_S = 60.0
"""However the wall clock is set."""


class Administration:
    """The operator's requests to one domain. Raises ValueError with the remedy for what cannot be done."""

    def __init__(self, domain: Domain, components: Mapping[str, Component], streams: Collection[object]) -> None:
        """`streams`: the client streams that are open, logged in or not."""
        self._domain = domain
        self._components = components
        self._streams = streams

    async def status(self) -> dict[str, Any]:
        """Counts: client streams, sessions, accounts; and of each component that may connect here, whether it has.

        It is `ready` when it answers, which it does by way of Redis.
        """
        return {
            "ready": True,
            "streams": len(self._streams),
            "sessions": sum(len(account.sessions) for account in self._domain.accounts.online.values()),
            "accounts": await self._domain.context.store.accounts.count(),
            "components": {name: component.is_connected for name, component in self._components.items()},
        }

    async def follow(self, until_utc_s: float, address: str = "") -> None:
        """Record the hops of each stanza that enters here, until then, and no longer than MAX_FOLLOW_S.

        `address`: only of what is from or to it; see `Tracer.follow`.

        Whoever wants more of it asks again: so it ends with them, even where they are killed.
        """
        left_s = min(until_utc_s - self._domain.context.now_utc_s(), MAX_FOLLOW_S)
        if address:
            self._domain.tracer.follow(address, left_s)
        else:
            self._domain.tracer.follow_all(left_s)

    async def user_ls(self) -> list[str]:
        """All accounts: localparts."""
        return await self._domain.context.store.accounts.names()

    async def user_add(self, localpart: str, password: str) -> None:
        """Create an account."""
        if not await self._domain.credentials.create(prepare_localpart(localpart), password):
            raise ValueError(f"{localpart}@{self._domain.name} exists already; `user passwd` changes its password")

    async def user_passwd(self, localpart: str, password: str) -> None:
        """Change an account's password; its sessions go on."""
        name = await self._existing(localpart)
        if not await self._domain.credentials.change(name, password):
            raise ValueError(f"{name}@{self._domain.name} was changed or removed in the meantime; try again")

    async def user_del(self, localpart: str) -> None:
        """Remove an account and all that belongs to it; its contacts are told."""
        await self._domain.remove_account(await self._existing(localpart))

    async def _existing(self, localpart: str) -> str:
        name = prepare_localpart(localpart)
        if await self._domain.context.store.accounts.get(name) is None:
            raise ValueError(f"no account {name}@{self._domain.name}; `xmpplab user ls` lists the accounts")
        return name
