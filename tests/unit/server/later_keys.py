"""Keys that are derived when a test says so, as in a thread that has not come to it yet."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from cluster.xmpp.streams.sasl import Keys
from tests.network import derive_at_once


class LaterKeys:
    """The port `derive` of a server."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, hash_name: str, password: str, salt: bytes, iterations: int) -> Deferred[Keys]:
        derived: Deferred[Keys] = Deferred()
        self.waiting.append(lambda: derive_at_once(hash_name, password, salt, iterations).chainDeferred(derived))
        return derived

    def work(self) -> None:
        """Do all, and what comes of it."""
        while self.waiting:
            self.waiting.pop(0)()
