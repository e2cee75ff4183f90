"""A Redis Cluster (https://valkey.io/topics/cluster-spec/) as one connection: to all masters, lost with the first.

Whoever uses it repeats what was lost, in order, once there is a new connection. So nothing here redirects a command:
when a node says that keys have moved, or that the cluster is down, the connection is lost, and the next one begins
with what the nodes say then. Order is kept for each key, and for a domain, whose keys and channels have one tag.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable
from typing import Any

from hiredis import ReplyError
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from cluster.redisio.connection import UNREACHABLE, OnPush, log_in, open_connection
from cluster.redisio.protocol import RedisProtocol, Reply
from cluster.redisio.url import RedisUrl

SLOTS = 16_384
Address = tuple[str, int]
"""Of a node: host and port."""
_MOVED = ("MOVED ", "ASK ", "TRYAGAIN", "CLUSTERDOWN", "READONLY", "LOADING")
"""Beginnings of errors that say that another node, or none for now, has the key."""

_KEY_AT = {"XGROUP": 2, "XINFO": 2, "MEMORY": 2, "EVAL": 3}
"""Where the key of a command stands, if not behind its name; that of PUBLISH is its channel."""


class NodeConnection(RedisProtocol):
    """To one master. It ends when that has not got the keys that it is asked for."""

    _is_over = False

    def _answer(self, reply: Reply) -> None:
        if isinstance(reply, ReplyError) and str(reply).startswith(_MOVED):
            self._is_over = True
            self._log.info("A node of the cluster says: {error}", error=str(reply))
            self.transport.abortConnection()
        if not self._is_over:
            super()._answer(reply)


class ClusterConnection:
    """A `Connection` to all masters."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._nodes: dict[Address, NodeConnection] = {}
        self._by_slot: list[NodeConnection] = []
        self._is_closing = False
        self._is_over = False

    async def open(self, reactor: Any, url: RedisUrl, on_push: OnPush) -> list[Address]:
        """Connect to the masters that the node at `url` knows: their addresses. Fails with one of UNREACHABLE."""
        try:
            node = await open_connection(reactor, url, on_push, lambda: None)
            slots = await node.execute("CLUSTER", "SLOTS")
            node.close()
            for first, last, master, *_ in sorted(slots):
                address = (master[0].decode() if master[0] else url.host, master[1])  # not each is told its own host
                if address not in self._nodes:
                    await self._open_node(reactor, url.at(*address), address, on_push)
                if first == len(self._by_slot):
                    self._by_slot += [self._nodes[address]] * (last + 1 - first)
            if len(self._by_slot) < SLOTS:
                raise ReplyError("CLUSTERDOWN not all slots have a master")
            if self._is_over:
                raise ConnectionLost("a node was lost meanwhile")
        except BaseException:
            self._end_all()
            raise
        return [*self._nodes]

    async def _open_node(self, reactor: Any, url: RedisUrl, address: Address, on_push: OnPush) -> None:
        node = NodeConnection(on_push, self._on_node_lost)
        await log_in(node, reactor, url)
        self._nodes[address] = node
        info: bytes = await node.execute("CLUSTER", "INFO")
        if b"cluster_state:ok" not in info:
            raise ReplyError(f"CLUSTERDOWN says the node at {url}")

    @property
    def unanswered(self) -> int:
        """How many commands wait for their replies, of all nodes."""
        return sum(node.unanswered for node in self._nodes.values())

    def execute(self, *command: str | bytes | int) -> Deferred[Reply]:
        """Send a command to the master of its key; PING goes to all, and is replied to when all have."""
        if command == ("PING",):
            replies = [node.execute(*command) for node in self._nodes.values()]
            return gatherResults(replies, consumeErrors=True).addErrback(_first_error)
        return self._by_slot[slot(key(command))].execute(*command)

    def post(self, *command: str | bytes | int) -> None:
        """Send a command whose reply nobody waits for."""
        self._by_slot[slot(key(command))].post(*command)

    def close(self) -> None:
        """End it, when all that was sent is written."""
        self._is_closing = True
        for node in self._nodes.values():
            node.close()

    def _on_node_lost(self) -> None:
        if self._is_over or (self._is_closing and any(node.connected for node in self._nodes.values())):
            return
        self._is_over = True
        self._on_lost()  # before what waits fails
        self._end_all()

    def _end_all(self) -> None:
        self._is_over = True
        for node in self._nodes.values():
            node.transport.abortConnection()


class Cluster:
    """Makes connections to a cluster. What it learns of the nodes helps when the one that was named is away."""

    def __init__(self) -> None:
        self._known: list[Address] = []

    async def open(
        self, reactor: Any, url: RedisUrl, on_push: OnPush, on_lost: Callable[[], None]
    ) -> ClusterConnection:
        """Connect and log in to all masters of the cluster that `url` is of. Fails with one of UNREACHABLE."""
        named = (url.host, url.port)
        for address in [*(each for each in self._known if each != named), named]:
            connection = ClusterConnection(on_lost)
            try:
                self._known = await connection.open(reactor, url.at(*address), on_push)
            except UNREACHABLE:
                if address == named:
                    raise
            else:
                return connection
        raise AssertionError("the named one is the last")


def _first_error(failure: Failure) -> Failure:
    assert isinstance(failure.value, FirstError)
    return failure.value.subFailure


def key(command: tuple[str | bytes | int, ...]) -> str | bytes | int:
    """The key of a command, or its channel."""
    name = command[0]
    if name == "XREADGROUP":
        return command[command.index("STREAMS") + 1]
    return command[_KEY_AT.get(str(name), 1)]


def slot(key: str | bytes | int) -> int:
    """Where a key is: by the CRC16 of its tag, of all of it where it has none."""
    raw = key if isinstance(key, bytes) else str(key).encode()
    begin = raw.find(b"{") + 1
    end = raw.find(b"}", begin) if begin else -1
    return crc_hqx(raw[begin:end] if end > begin else raw, 0) % SLOTS
