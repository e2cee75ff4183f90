"""What a process says of itself over HTTP, also while its Redis is silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import MemoryReactorClock, StringTransport

from cluster.lab.containers.health import PORT
from cluster.lab.folder import LabFolder
from cluster.lab.runtime.monitor import ANSWER_TIMEOUT_S, Monitor


class World:
    """A process in a container, with one node."""

    def __init__(self, root: Path) -> None:
        self.reactor: Any = MemoryReactorClock()  # type: ignore[no-untyped-call]
        self.answer: Deferred[dict[str, Any]] = Deferred()
        self.monitor = Monitor(self.reactor, LabFolder(root), "s1")
        self.node = self.monitor.watch("s1", "server", self.status)
        [(self.port, self.site, _, self.host)] = self.reactor.tcpServers

    async def status(self) -> dict[str, Any]:
        return await self.answer

    def ask(self, path: str) -> StringTransport:
        transport = StringTransport()
        protocol = self.site.buildProtocol(None)
        protocol.makeConnection(transport)
        protocol.dataReceived(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        return transport


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_in_a_container_it_listens_for_the_others(world: World) -> None:
    assert (world.host, world.port) == ("0.0.0.0", PORT)


def test_it_lives_before_it_is_ready(world: World) -> None:
    assert b" 200 OK" in world.ask("/live").value()
    assert b"not ready: s1 starts, or stops" in world.ask("/ready").value()


def test_it_is_ready_when_its_node_says_so(world: World) -> None:
    world.node.is_up = True
    asking = world.ask("/ready")
    assert asking.value() == b""
    world.answer.callback({"ready": True})
    assert b" 200 OK" in asking.value()


def test_a_gateway_that_is_not_connected_is_not_ready(world: World) -> None:
    world.node.is_up = True
    world.answer.callback({"ready": False})
    assert b" 503 " in world.ask("/ready").value()


def test_redis_is_waited_for_only_so_long(world: World) -> None:
    world.node.is_up = True
    asking = world.ask("/ready")
    world.reactor.advance(ANSWER_TIMEOUT_S)
    assert b" 503 " in asking.value()
    assert b"not ready: Redis does not answer" in asking.value()


def test_redis_is_away(world: World) -> None:
    world.node.is_up = True
    world.answer.errback(ConnectionLost())
    assert b"not ready: Redis does not answer" in world.ask("/ready").value()


def test_nodes_that_share_the_process_are_told_apart(world: World) -> None:
    world.monitor.watch("s2", "server", world.status)
    text = world.ask("/metrics").value().decode()
    assert text.count("# TYPE xmpplab_node_info gauge") == 1
    assert text.count("xmpplab_node_info{") == 2
    world.node.is_up = True
    assert b"not ready: s2 starts, or stops" in world.ask("/ready").value()
