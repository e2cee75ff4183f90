"""Logins by token (XEP-0484): tokens are issued to clients, checked, renewed and given up."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import msgspec

from cluster.store.port import Account, AccountStore
from cluster.store.tokens import ClientTokens, Token, TokenStore
from cluster.xmpp.streams import hashed_token
from cluster.xmpp.streams.events import TokenGiven, TokenWanted
from cluster.xmpp.streams.sasl import HASHES, SaslCondition, SaslError

VALID_S = 14 * 86_400.0
"""Of a token: a client that was away for longer needs its password again."""
RENEW_S = VALID_S / 2
"""A login by a token that is valid for less brings a new one."""
MAX_CLIENTS = 64
"""Of one account, that have tokens: as many as it may have sessions. One more takes the place of the one whose token
expires first."""
_TRIES = 3
"""To change what other logins of the same client change too."""


class Tokens:
    """The tokens of one domain. They are stored, so they are good for all nodes, and after a restart."""

    def __init__(
        self, accounts: AccountStore, store: TokenStore, new_id: Callable[[], str], now_utc_s: Callable[[], float]
    ) -> None:
        """`new_id` gives unpredictable ids."""
        self._accounts = accounts
        self._store = store
        self._new_id = new_id
        self._now_utc_s = now_utc_s

    async def issue(self, localpart: str, wanted: TokenWanted) -> tuple[str, float] | None:
        """A token for a client that is logged in, and when it expires; None if the account has no password."""
        account = await self._accounts.get(localpart)
        if account is None:  # an anonymous one, or removed meanwhile
            return None
        token = Token(
            f"{self._new_id()}{self._new_id()}", wanted.mechanism, _password(account), self._now_utc_s() + VALID_S
        )
        for _ in range(_TRIES):
            before = await self._store.get(localpart, wanted.agent)
            if before is None:
                await self._make_room(localpart)
            after = ClientTokens(before.current if before is not None else None, token)
            if await self._store.replace(localpart, wanted.agent, before, after):
                return token.secret, token.expires_utc_s
        return None

    async def _make_room(self, localpart: str) -> None:
        known = await self._store.of_account(localpart)
        while len(known) >= MAX_CLIENTS:
            first = min(known, key=lambda agent: _expires_utc_s(known[agent]))
            del known[first]
            await self._store.remove(localpart, first)

    async def check(self, given: TokenGiven) -> tuple[bytes | SaslError, TokenWanted | None]:
        """The server's part of the mechanism, or why the token is refused; and the new token that is due, if one is."""
        account = await self._accounts.get(given.localpart)
        for _ in range(_TRIES):
            before = await self._store.get(given.localpart, given.agent)
            used = _matching(given, account, before)
            if before is None or used is None or _is_replay(given, used):
                return SaslError(SaslCondition.NOT_AUTHORIZED), None
            left_s = used.expires_utc_s - self._now_utc_s()
            if left_s <= 0:
                return SaslError(SaslCondition.CREDENTIALS_EXPIRED), None
            answer = hashed_token.responder(used.secret, given.binding)
            if given.invalidates:
                await self._store.remove(given.localpart, given.agent)
                return answer, None
            after = _after_use(before, used, given.count)
            if after == before or await self._store.replace(given.localpart, given.agent, before, after):
                return answer, TokenWanted(given.agent, given.mechanism) if left_s < RENEW_S else None
        return SaslError(SaslCondition.TEMPORARY_AUTH_FAILURE), None


def _password(account: Account) -> bytes:
    return account.keys[HASHES[0]].salt


def _expires_utc_s(tokens: ClientTokens) -> float:
    return max((each.expires_utc_s for each in (tokens.current, tokens.new) if each is not None), default=0.0)


def _matching(given: TokenGiven, account: Account | None, tokens: ClientTokens | None) -> Token | None:
    """The client's token that this is the proof of (section 5.1)."""
    if account is None or tokens is None:
        return None
    for token in (tokens.new, tokens.current):
        if token is None or token.mechanism != given.mechanism or token.password != _password(account):
            continue
        if hmac.compare_digest(hashed_token.initiator(token.secret, given.binding), given.hashed):
            return token
    return None


def _is_replay(given: TokenGiven, token: Token) -> bool:
    return given.count is not None and token.count is not None and given.count <= token.count


def _after_use(tokens: ClientTokens, used: Token, count: int | None) -> ClientTokens:
    """An older token ends when a newer one is used (section 3.5)."""
    now = used if count is None else msgspec.structs.replace(used, count=count)
    return ClientTokens(now, None if used is tokens.new else tokens.new)
