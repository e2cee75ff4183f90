"""Passwords: made into SCRAM keys, checked, and never kept (RFC 5802; RFC 6120 section 6)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from twisted.internet.defer import Deferred, DeferredLock

from cluster.store.port import Account, AccountStore, ScramKeys, SecretStore
from cluster.xmpp.streams.sasl import HASHES, Keys

ITERATIONS = 4096
"""The least that RFC 7677 section 4 allows: this is a lab, where thousands of load users log in at once."""
PASSWORD_CHANGES_PER_MINUTE = 10
"""Of one account. Each costs two derivations, for which the logins of all others wait."""


DeriveKeys = Callable[[str, str, bytes, int], Deferred[Keys]]
"""What `make_keys` does: fails with ValueError for a password that SASLprep refuses (RFC 4013)."""


class Credentials:
    """The logins of one domain. Keys are derived one at a time: each takes milliseconds, in a thread.

    A login costs the reactor's thread as much as a derivation costs its own, so one keeps up with the other; more at
    a time would take the cores from it that it needs to serve everybody else.
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
        """The account's keys; for an unknown account, keys that no password fits.

        Those are the same for its name at each node and after each start, as a real account's are: else the challenge
        of SCRAM would tell whether there is such an account (RFC 5802 section 9).
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
        """Make the account; False where there is one of that name. Raises ValueError for a bad password."""
        return await self._accounts.create(await self.account(localpart, password))

    async def change(self, localpart: str, password: str) -> bool:
        """Give the account another password. Raises ValueError for a bad one.

        False where there is no such account, or where it was changed or removed in the meantime: what was removed does
        not come back, and a new account of its name keeps its own password.
        """
        before = await self._accounts.get(localpart)
        return before is not None and await self._accounts.replace(before, await self.account(localpart, password))

    def _derive(self, hash_name: str, password: str, salt: bytes, iterations: int) -> Deferred[Keys]:
        return self._derivations.run(self._derive_now, hash_name, password, salt, iterations)
