"""Passwords: hashed to SCRAM keys, checked, and never stored (RFC 5802; RFC 6120 section 6)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

import msgspec
from twisted.internet.defer import Deferred, DeferredLock

from cluster.store.port import Account, AccountStore, ScramKeys, SecretStore
from cluster.xmpp.streams.sasl import HASHES, Keys

ITERATIONS = 4096
"""The minimum of RFC 7677 section 4: in a lab, thousands of load users log in at once."""
PASSWORD_CHANGES_PER_MINUTE = 10
"""Of one account. Each costs two derivations, during which the logins of all others wait."""


DeriveKeys = Callable[[str, str, bytes, int], Deferred[Keys]]
"""The asynchronous `make_keys`: fails with ValueError for a password that SASLprep refuses (RFC 4013)."""


class Credentials:
    """The logins of one domain.

    Keys are derived one at a time, in a thread: each takes milliseconds. A login costs the reactor's thread about as
    much as its derivation costs the other one, so one thread keeps up; more would take CPU that the reactor needs to
    serve everybody else.
    """

    def __init__(
        self, accounts: AccountStore, secrets: SecretStore, derive: DeriveKeys, new_salt: Callable[[], bytes]
    ) -> None:
        self._accounts = accounts
        self._secrets = secrets
        self._derive_now = derive
        self._new_salt = new_salt
        self._secret = b""
        self._derivations = DeferredLock()

    async def keys(self, localpart: str, hash_name: str) -> Keys:
        """The account's keys; for an unknown account, keys that match no password.

        Those are the same for a name at each node and after each start, like those of a real account: otherwise the
        challenge of SCRAM would reveal whether the account exists (RFC 5802 section 9).
        """
        if not self._secret:
            self._secret = await self._secrets.get("keys of unknown accounts", self._new_salt() + self._new_salt())
        account = await self._accounts.get(localpart)
        if account is None or hash_name not in account.keys:
            return self._decoy(localpart, hash_name)
        kept = account.keys[hash_name]
        return Keys(kept.salt, kept.stored_key, kept.server_key, kept.iterations)

    def _decoy(self, localpart: str, hash_name: str) -> Keys:
        def digest(purpose: str) -> bytes:
            return hmac.digest(self._secret, f"{purpose} {hash_name} {localpart}".encode(), hashlib.sha256)

        size = 20 if hash_name == "SCRAM-SHA-1" else 32
        return Keys(digest("salt")[:16], digest("stored")[:size], digest("server")[:size], ITERATIONS)

    async def check(self, localpart: str, password: str) -> bool:
        """Whether this is the account's password; an unknown account takes as long as a known one."""
        expected = await self.keys(localpart, HASHES[0])
        try:
            given = await self._derive(HASHES[0], password, expected.salt, expected.iterations)
        except ValueError:
            return False
        return hmac.compare_digest(given.stored_key, expected.stored_key)

    async def account(self, localpart: str, password: str) -> Account:
        """The record of an account with this password. Raises ValueError for one that SASLprep refuses (RFC 4013)."""
        keys = {}
        for hash_name in HASHES:
            made = await self._derive(hash_name, password, self._new_salt(), ITERATIONS)
            keys[hash_name] = ScramKeys(*made)
        return Account(localpart, keys)

    async def create(self, localpart: str, password: str) -> bool:
        """Create the account; False if the name is taken. Raises ValueError for a bad password."""
        return await self._accounts.create(await self.account(localpart, password))

    async def create_all(self, localparts: Sequence[str], password: str) -> None:
        """Create accounts that share a password, and its keys; existing ones are left as they are.

        Raises ValueError for a bad password. For accounts of a test: one derivation in place of one for each.
        """
        model = await self.account("", password)
        for localpart in localparts:
            await self._accounts.create(msgspec.structs.replace(model, localpart=localpart))

    async def change(self, localpart: str, password: str) -> bool:
        """Change an account's password. Raises ValueError for a bad one.

        False if the account does not exist, or was changed or removed meanwhile: a removed account is not created
        again, and a new account of that name keeps its password.
        """
        before = await self._accounts.get(localpart)
        return before is not None and await self._accounts.replace(before, await self.account(localpart, password))

    def _derive(self, hash_name: str, password: str, salt: bytes, iterations: int) -> Deferred[Keys]:
        return self._derivations.run(self._derive_now, hash_name, password, salt, iterations)
