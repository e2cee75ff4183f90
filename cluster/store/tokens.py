"""Tokens with which clients log in (XEP-0484), and the port that stores them."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Token(msgspec.Struct, frozen=True):
    """One token of one client. Both sides prove that they have it, so the server cannot keep less than it."""

    secret: str
    mechanism: str
    """The only one that it is good for (section 3.4)."""
    password: bytes
    """Salt of the password with which the account was when it was issued: with another password, or as another account
    of that name, it is worth nothing."""
    expires_utc_s: float
    """In seconds since the epoch."""
    count: int | None = None
    """Of its last use, where the client counts."""


class ClientTokens(msgspec.Struct, frozen=True):
    """The tokens of one client (section 5.1)."""

    current: Token | None = None
    """The last one that it used."""
    new: Token | None = None
    """The last one that it was given, and has not used."""


class TokenStore(Protocol):
    """The tokens of a domain's accounts."""

    async def get(self, localpart: str, agent: str) -> ClientTokens | None:
        """Those of the client with this id."""

    async def replace(self, localpart: str, agent: str, before: ClientTokens | None, after: ClientTokens) -> bool:
        """Store them if `before` is what is stored; False if that was changed or removed."""

    async def remove(self, localpart: str, agent: str) -> None: ...
    async def of_account(self, localpart: str) -> dict[str, ClientTokens]:
        """By the ids of its clients."""
