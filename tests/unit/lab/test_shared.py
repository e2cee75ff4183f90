"""Nodes that share a process: what one begins bears its name and ends with it, and its neighbours go on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from cluster.lab.runtime.log_level import LogLevels
from cluster.lab.runtime.node_reactor import NodeReactor, current_node, name_events
from cluster.lab.runtime.shared import SharedProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has epoll")


@pytest.fixture
def reactor() -> Iterator[Any]:
    from cluster.lab.runtime.write_through import WriteThroughReactor

    made = WriteThroughReactor()
    yield made
    for selectable in made.removeAll():
        selectable.connectionLost(Failure(ConnectionDone()))
    made._poller.close()


def run(reactor: Any, scene: Callable[[], Any]) -> None:
    """Run the coroutine of `scene` on the reactor, which stops with it."""
    failures: list[Failure] = []

    def begin() -> None:
        Deferred.fromCoroutine(scene()).addErrback(failures.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    for failure in failures:
        failure.raiseException()


HUSH = b"hush"


class Echo(Protocol):
    """Answers with the name of the node that the process says it is, and what was said; then reads no more of HUSH."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        if data == HUSH:
            self.transport.pauseProducing()
        self.transport.write(current_node().encode() + b" hears " + data)


class Asking(Protocol):
    """Asks, and says what it hears, and when it ends."""

    transport: Any

    def __init__(self) -> None:
        self.heard: Deferred[bytes] = Deferred()
        self.ended: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        heard, self.heard = self.heard, Deferred()
        heard.callback(data)

    def connectionLost(self, reason: Failure) -> None:
        self.ended.callback(None)


class Server:
    """The service of one node."""

    def __init__(self, reactor: Any, crash: Callable[[], None]) -> None:
        self.reactor = reactor
        self.crash = crash
        self.ticks = 0
        self.port: Any = None

    async def start(self) -> None:
        self.port = self.reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        self._tick()

    async def stop(self) -> None:
        await self.port.stopListening()

    def _tick(self) -> None:
        assert current_node() == self.reactor.node
        self.ticks += 1
        self.reactor.callLater(0.001, self._tick)


def process(reactor: Any) -> tuple[SharedProcess, dict[str, list[Server]]]:
    """Two nodes, and their lives."""
    lives: dict[str, list[Server]] = {"s1": [], "s2": []}

    def make(own: Any, crash: Callable[[], None]) -> Server:
        lives[current_node()].append(Server(own, crash))
        return lives[current_node()][-1]

    return SharedProcess(reactor, dict.fromkeys(lives, make)), lives


async def connected(reactor: Any, server: Server) -> Asking:
    factory = ClientFactory()
    asking = Asking()
    made: Deferred[None] = Deferred()
    asking.connectionMade = lambda: made.callback(None)
    factory.buildProtocol = lambda address: asking
    reactor.connectTCP("127.0.0.1", server.port.getHost().port, factory)
    await made
    return asking


async def ask(asking: Asking, what: bytes = b"a lark") -> bytes:
    asking.transport.write(what)
    return await asking.heard


async def until(reactor: Any, condition: Callable[[], object]) -> None:
    while not condition():
        await deferLater(reactor, 0.001)


def test_each_event_bears_the_name_of_its_node(reactor: Any) -> None:
    shared, lives = process(reactor)

    async def scene() -> None:
        await shared.start()
        for name, [server] in lives.items():
            assert await ask(await connected(reactor, server)) == name.encode() + b" hears a lark"
        assert current_node() == ""
        await shared.stop()

    run(reactor, scene)


def test_a_node_that_is_fenced_starts_again_and_its_neighbour_notices_nothing(reactor: Any) -> None:
    shared, lives = process(reactor)

    async def scene() -> None:
        await shared.start()
        [fenced], [neighbour] = lives["s1"], lives["s2"]
        lost, kept = await connected(reactor, fenced), await connected(reactor, neighbour)
        fenced.crash()
        ticks = fenced.ticks, neighbour.ticks
        await lost.ended  # the system closes what a dead process had open
        await until(reactor, lambda: len(lives["s1"]) == 2 and lives["s1"][1].port)
        await until(reactor, lambda: neighbour.ticks > ticks[1] + 3)
        assert fenced.ticks == ticks[0]
        assert await ask(kept) == b"s2 hears a lark"
        assert await ask(await connected(reactor, lives["s1"][1])) == b"s1 hears a lark"
        assert len(lives["s2"]) == 1
        await shared.stop()

    run(reactor, scene)


def test_connections_from_which_it_did_not_read_end_too(reactor: Any) -> None:
    shared, lives = process(reactor)

    async def scene() -> None:
        await shared.start()
        unread = await connected(reactor, lives["s1"][0])
        await ask(unread, HUSH)
        lives["s1"].pop().crash()
        await unread.ended
        await until(reactor, lambda: lives["s1"] and lives["s1"][0].port)
        await shared.stop()

    run(reactor, scene)


def test_a_node_that_cannot_start_again_is_tried_again(reactor: Any) -> None:
    lives: list[Server] = []

    class Failing(Server):
        async def start(self) -> None:
            if len(lives) in (2, 3):
                raise RuntimeError("Redis is away")
            await super().start()

    def make(own: Any, crash: Callable[[], None]) -> Server:
        lives.append(Failing(own, crash))
        return lives[-1]

    shared = SharedProcess(reactor, {"s1": make})

    async def scene() -> None:
        await shared.start()
        lives[0].crash()
        await until(reactor, lambda: lives[-1].port and len(lives) > 1)
        assert len(lives) == 4
        await shared.stop()

    run(reactor, scene)


def test_the_process_fails_with_the_first_node_that_cannot_start(reactor: Any) -> None:
    class Failing(Server):
        async def start(self) -> None:
            raise RuntimeError("the port is taken")

    shared = SharedProcess(reactor, {"s1": Server, "s2": Failing})

    async def scene() -> None:
        with pytest.raises(RuntimeError, match="the port is taken"):
            await shared.start()

    run(reactor, scene)


def test_what_a_dead_node_still_tries_reaches_nobody(reactor: Any) -> None:
    name_events(reactor)
    dead, called = NodeReactor(reactor, "s1"), []
    server = Server(dead, dead.crash)

    async def scene() -> None:
        await dead.run(lambda: Deferred.fromCoroutine(server.start()))
        asking = await connected(reactor, server)
        dead.at_turn_end(lambda: called.append("the end of the turn"))
        dead.callFromThread(called.append, "a thread")
        dead.callLater(0, called.append, "a timer")
        dead.crash()
        dead.callLater(0, called.append, "a later timer")
        await asking.ended
        await deferLater(reactor, 0)
        assert called == []

    run(reactor, scene)


def test_each_node_has_a_log_level_of_its_own(reactor: Any) -> None:
    levels, seen = LogLevels(), list[str]()
    observe = levels.before(lambda event: seen.append(current_node()))
    one, other = NodeReactor(reactor, "s1"), NodeReactor(reactor, "s2")
    told = list[str]()
    one.run(lambda: Deferred.fromCoroutine(levels.log_level("debug")).addCallback(told.append))
    for node in (one, other):
        node.run(lambda: observe({"log_level": LogLevel.debug}))
    assert (seen, told) == (["s1"], ["info"])
