"""Keys are derived one at a time: it costs CPU that all others need, and anybody may ask for it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from cluster.server.credentials import Credentials
from cluster.store.memory import memory_store
from cluster.xmpp.passwords import MAX_BYTES
from cluster.xmpp.streams.sasl import make_keys
from tests.network import at_once
from tests.unit.server.later_keys import LaterKeys


def test_one_derivation_at_a_time() -> None:
    store, answers, derive = memory_store(), [], LaterKeys()
    credentials = Credentials(store.accounts, store.secrets, derive, lambda: b"salt of the domain")
    for number in range(20):
        asked = Deferred.fromCoroutine(credentials.check("romeo", f"wrong{number}"))
        asked.addCallback(lambda right, number=number: answers.append((number, right)))
    Deferred.fromCoroutine(credentials.create("benvolio", "secret"))
    turns = 0
    while derive.waiting:
        [go_on] = derive.waiting
        derive.waiting.clear()
        go_on()
        turns += 1
    assert answers == [(number, False) for number in range(20)]
    assert at_once(store.accounts.names()) == ["benvolio"]
    assert turns == 22


def test_a_password_of_any_size_is_not_prepared() -> None:
    make_keys("SCRAM-SHA-1", "x" * MAX_BYTES, b"salt of the tests", 4096)
    with pytest.raises(ValueError, match="longer than"):
        make_keys("SCRAM-SHA-1", "x" * (MAX_BYTES + 1), b"salt of the tests", 4096)
