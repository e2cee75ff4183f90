"""The tokens of accounts in memory."""

from __future__ import annotations

from cluster.store.tokens import ClientTokens


class MemoryTokens:
    """A `TokenStore`."""

    def __init__(self) -> None:
        self._tokens: dict[str, dict[str, ClientTokens]] = {}

    async def get(self, localpart: str, agent: str) -> ClientTokens | None:
        """Those of a client, or None."""
        return self._tokens.get(localpart, {}).get(agent)

    async def replace(self, localpart: str, agent: str, before: ClientTokens | None, after: ClientTokens) -> bool:
        """Store them if `before` is what is stored."""
        if self._tokens.get(localpart, {}).get(agent) != before:
            return False
        self._tokens.setdefault(localpart, {})[agent] = after
        return True

    async def remove(self, localpart: str, agent: str) -> None:
        """Forget those of a client."""
        self._tokens.get(localpart, {}).pop(agent, None)

    async def of_account(self, localpart: str) -> dict[str, ClientTokens]:
        """Those of all its clients."""
        return dict(self._tokens.get(localpart, {}))

    def forget(self, localpart: str) -> None:
        """Forget those of all its clients."""
        self._tokens.pop(localpart, None)
