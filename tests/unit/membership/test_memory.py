"""Nodes of a domain in memory: what the contract in tests/ports does not reach."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from cluster.membership.memory import RETRY_S, SILENCE_S, MemoryMembership, MemoryNodes


def test_an_account_may_wait_long_for_the_heir_of_its_node() -> None:
    """Found by `xmpplab simulate nodes --people 16 --troubles 9 --for 3m --seed 152`: a RecursionError."""
    clock = Clock()
    membership = MemoryMembership(clock)
    gone, other = MemoryNodes(membership, "s1"), MemoryNodes(membership, "s2")
    membership.present.update({"s1": gone, "s2": other})
    got: list[Any] = []
    gone.claim("romeo").addCallback(got.append)
    del membership.present["s1"]
    other.claim("romeo").addBoth(got.append)
    for _ in range(2_000):
        clock.advance(RETRY_S)
    assert got == ["s1"]
    membership.present["s1"] = gone
    clock.advance(RETRY_S)
    assert got == ["s1", "s1"]


def test_a_node_that_has_crashed_is_not_told_who_is_gone() -> None:
    """Nothing happens in its process any more, although the others do not miss it yet."""
    clock = Clock()
    membership = MemoryMembership(clock)
    told: list[tuple[str, str]] = []

    class Told:
        def __init__(self, name: str) -> None:
            self._name = name

        def gone(self, node: str) -> None:
            told.append((self._name, node))

    for name in ("s1", "s2", "s3"):
        node = membership.present[name] = MemoryNodes(membership, name)
        server: Any = Told(name)
        node.server = server
    membership.crash(membership.present["s2"])
    clock.advance(1.0)
    membership.crash(membership.present["s3"])
    clock.advance(SILENCE_S)
    clock.advance(0)
    assert told == [("s1", "s2"), ("s1", "s3")]
