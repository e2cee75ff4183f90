"""Key derivation in virtual time: each takes DERIVATION_S. Results are cached, to save real time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import scramp.core
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cluster.base.clock import Clock, as_interface
from cluster.server.credentials import ITERATIONS, DeriveKeys
from cluster.store.port import Account, ScramKeys
from cluster.xmpp.streams.sasl import HASHES, Keys, make_keys

DERIVATION_S = 0.003
"""Virtual time of one derivation."""
_SALT = b"salt of the simulation"


def derivation(clock: Clock) -> DeriveKeys:
    """The `derive` of `Ports`, without a thread."""

    def derive(hash_name: str, password: str, salt: bytes, iterations: int) -> Deferred[Keys]:
        derived: Any = deferLater(as_interface(clock), DERIVATION_S, _made, hash_name, password, salt, iterations)
        return derived  # type: ignore[no-any-return]

    return derive


def account(localpart: str, password: str) -> Account:
    """An account of the topology."""
    return Account(localpart, _keys(password))


_made = lru_cache(maxsize=1024)(make_keys)
_derived = lru_cache(maxsize=1024)(scramp.core.hi)
scramp.core.hi = lambda hash, password, salt, iterations: _derived(hash, password, salt, int(iterations))
scramp.core.saslprep = lru_cache(maxsize=1024)(scramp.core.saslprep)
# a client keeps the salted password (RFC 5802 section 5.1), which scramp does not; it takes a third of a login


@lru_cache(maxsize=1024)
def _keys(password: str) -> dict[str, ScramKeys]:
    return {name: ScramKeys(*_made(name, password, _SALT, ITERATIONS)) for name in HASHES}
