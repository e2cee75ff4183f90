"""The requests of a lab's operator to a running server: its state, and its accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from cluster.server.components.component import Component
from cluster.server.domain import Domain
from cluster.server.sessions.session import Session
from cluster.xmpp.errors import StreamCondition
from cluster.xmpp.jid import prepare_localpart

MAX_FOLLOW_S = 60.0
"""However the wall clock is set."""
MAX_SESSIONS = 1_000
"""In one list; `status` has the number of all."""


class Administration:
    """The operator's requests to one domain. Raises ValueError with the remedy."""

    def __init__(self, domain: Domain, components: Mapping[str, Component], streams: Collection[object]) -> None:
        """`streams`: the open client streams, logged in or not."""
        self._domain = domain
        self._components = components
        self._streams = streams

    async def status(self) -> dict[str, Any]:
        """Counts of client streams, sessions and accounts; and whether each component that may connect here is
        connected.

        Answering takes a request to Redis, so a server that answers is `ready`.
        """
        return {
            "ready": True,
            "streams": len(self._streams),
            "sessions": sum(len(account.sessions) for account in self._domain.accounts.online.values()),
            "accounts": await self._domain.context.store.accounts.count(),
            "components": {name: component.is_connected for name, component in self._components.items()},
        }

    async def follow(self, until_utc_s: float, address: str = "", every: int = 1) -> None:
        """Record the hops of each stanza that enters here, until then, and no longer than MAX_FOLLOW_S.

        `address`: only of what is from or to it; see `Tracer.follow`.

        A watcher asks again as long as it runs, so the recording also ends when a watcher is killed.
        """
        left_s = min(until_utc_s - self._domain.context.now_utc_s(), MAX_FOLLOW_S)
        if address:
            self._domain.tracer.follow(address, left_s)
        else:
            self._domain.tracer.follow_share(every, left_s)

    async def user_ls(self) -> list[str]:
        """The localparts of all accounts."""
        return await self._domain.context.store.accounts.names()

    async def user_add(self, localpart: str, password: str) -> None:
        """Create an account."""
        if not await self._domain.credentials.create(prepare_localpart(localpart), password):
            raise ValueError(f"{localpart}@{self._domain.name} exists already; `user passwd` changes its password")

    async def user_passwd(self, localpart: str, password: str) -> None:
        """Change an account's password; its sessions continue."""
        name = await self._existing(localpart)
        if not await self._domain.credentials.change(name, password):
            raise ValueError(f"{name}@{self._domain.name} was changed or removed in the meantime; try again")

    async def user_del(self, localpart: str) -> None:
        """Remove an account and all its data; its contacts are told."""
        await self._domain.remove_account(await self._existing(localpart))

    async def users_add(self, localparts: list[str], password: str) -> None:
        """Create several accounts with one password, whose keys are derived once; existing ones keep theirs."""
        await self._domain.credentials.create_all([prepare_localpart(each) for each in localparts], password)

    async def users_del(self, localparts: list[str]) -> None:
        """Remove several accounts and all their data; their contacts are told. Those that are gone are fine."""
        for localpart in localparts:
            await self._domain.remove_account(prepare_localpart(localpart))

    async def session_ls(self, localpart: str = "") -> list[dict[str, Any]]:
        """The sessions at this node, MAX_SESSIONS at the most; `localpart`: only those of this account."""
        online = self._domain.accounts.online
        wanted = prepare_localpart(localpart) if localpart else ""
        accounts = online.values() if not wanted else filter(None, (online.get(wanted),))
        sessions = (session for account in accounts for session in account.sessions.values())
        return [_shown(session) for session in islice(sessions, MAX_SESSIONS)]

    async def session_end(self, localpart: str, resource: str) -> bool:
        """End one session by a stream error; False if it is not at this node."""
        account = self._domain.accounts.online.get(prepare_localpart(localpart))
        session = account.sessions.get(resource) if account is not None else None
        if session is None:
            return False
        session.end(StreamCondition.POLICY_VIOLATION, "the operator of the server has ended this session")
        return True

    async def _existing(self, localpart: str) -> str:
        name = prepare_localpart(localpart)
        if await self._domain.context.store.accounts.get(name) is None:
            raise ValueError(f"no account {name}@{self._domain.name}; `xmpplab user ls` lists the accounts")
        return name


def _shown(session: Session) -> dict[str, Any]:
    state = "available" if session.available else "connected"
    if session.broken_utc_s is not None:
        state = "hibernating"
    return {"jid": str(session.jid), "state": state, "priority": session.priority if session.available else None}
