"""The masters of the slots of a Redis Cluster (https://valkey.io/topics/cluster-spec/), according to its nodes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hiredis import ReplyError
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.base.clock import Reactor
from cluster.redisio.connection import log_in
from cluster.redisio.protocol import RedisProtocol
from cluster.redisio.silence import COMMANDS
from cluster.redisio.url import RedisUrl

Address = tuple[str, int]
"""Of a node: host and port."""

_KEY_AT = {"XGROUP": 2, "XINFO": 2, "MEMORY": 2, "EVAL": 3}
"""Position of the key in a command, if it is not the first argument; for PUBLISH the channel counts as key."""


class Layout(msgspec.Struct, frozen=True):
    """The layout according to one node."""

    epoch: int
    """It rises with each replica that takes over: of two layouts, the one with the greater epoch is valid."""
    masters: list[Address]
    """By slot; as many as are served."""
    nodes: set[Address]
    """The masters and their replicas."""


class Poll:
    """Asks all nodes at the same time.

    It ends when the majority of the masters have answered: no replica can take over without one of them, so a master
    that does not yet know that it was replaced is outvoted; and none that hangs is waited for.
    """

    def __init__(self, reactor: Reactor, url: RedisUrl, known: Sequence[Address]) -> None:
        self._reactor = reactor
        self._url = url
        self._asked: set[Address] = set()
        self._answers: dict[Address, Layout] = {}
        self._failures: dict[Address, Failure] = {}
        self._asking: list[Deferred[None]] = []
        self._result: Deferred[Layout] = Deferred()
        for address in known:
            self._ask(address)

    def newest(self) -> Deferred[Layout]:
        """The valid layout. Fails with one of UNREACHABLE."""
        return self._result

    def _ask(self, address: Address) -> None:
        if address not in self._asked:
            self._asked.add(address)
            asked = Deferred.fromCoroutine(_ask(self._reactor, self._url.at(*address)))
            answered = asked.addCallbacks(
                self._on_answer, self._on_failed, callbackArgs=(address,), errbackArgs=(address,)
            )
            self._asking.append(answered)

    def _on_answer(self, layout: Layout, address: Address) -> None:
        self._answers[address] = layout
        for each in layout.nodes:
            self._ask(each)
        self._end_if_clear()

    def _on_failed(self, failure: Failure, address: Address) -> None:
        self._failures[address] = failure
        self._end_if_clear()

    def _end_if_clear(self) -> None:
        if self._result.called:
            return
        newest = max(self._answers.values(), key=lambda layout: layout.epoch, default=None)
        if newest is not None:
            masters = {*newest.masters}
            if 2 * len(masters & self._answers.keys()) > len(masters):
                self._result.callback(newest)
                for asking in self._asking:
                    asking.cancel()
                return
        if len(self._answers) + len(self._failures) == len(self._asked):
            errors = [failure.value for failure in self._failures.values()]
            self._result.errback(next(iter(errors), None) or ReplyError("CLUSTERDOWN not all slots have a master"))


async def _ask(reactor: Reactor, url: RedisUrl) -> Layout:
    protocol = RedisProtocol(reactor, COMMANDS, lambda *push: None, lambda: None)
    await log_in(protocol, reactor, url)
    try:
        info: bytes = await protocol.execute("CLUSTER", "INFO")
        slots = await protocol.execute("CLUSTER", "SLOTS")
    finally:
        protocol.close()
    epoch = int(info.partition(b"cluster_current_epoch:")[2].split(b"\r\n", 1)[0] or 0)
    masters: list[Address] = []
    nodes: set[Address] = set()
    for first, last, *serving in sorted(slots, key=lambda row: row[0]):
        addresses = [(node[0].decode() if node[0] else url.host, node[1]) for node in serving]  # some lack their own
        nodes.update(addresses)
        if first == len(masters):
            masters += addresses[:1] * (last + 1 - first)
    return Layout(epoch, masters, nodes)


def key(command: tuple[str | bytes | int, ...]) -> str | bytes | int:
    """The key of a command, or its channel."""
    name = command[0]
    if name == "XREADGROUP":
        return command[command.index("STREAMS") + 1]
    return command[_KEY_AT.get(str(name), 1)]
