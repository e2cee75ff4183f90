"""A peer whose bytes a test writes, and other helpers of the tests of links over XML streams."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol

from cluster.router.s2s.ports import Address
from cluster.xmpp.streams.servers.dialback import Pair, key
from cluster.xmpp.streams.servers.dialback import request as request_of_dialback
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, Node, text_of
from tests.unit.xmpp.server_streams import HEADER

Scenario = Callable[[S2sWorld], Coroutine[Deferred[Any], Any, None]]
AT_CAPULET = Address(CAPULET, 5269)
ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
OLD = (
    f"<stream:stream from='{CAPULET}' to='{MONTAGUE}' id='s1' xmlns='jabber:server' "
    "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'>"
)
"""The stream header of a server that predates XMPP 1.0."""
FEATURES = (
    "<stream:features><dialback xmlns='urn:xmpp:features:dialback'/><sm xmlns='urn:xmpp:sm:3'/></stream:features>"
)


def play(scenario: Scenario) -> S2sWorld:
    world = S2sWorld()
    world.run(scenario)
    return world


def texts(node: Node) -> list[str]:
    return [text_of(stanza) for stanza in node.delivered]


def streams_to(world: S2sWorld, address: Address) -> list[Any]:
    """The initiating ends of the connections that are up."""
    return [here for to, here, _ in world.wires.ends if to == address and not here.is_over]


class Peer(Protocol):
    """A server whose bytes the test writes."""

    def __init__(self) -> None:
        self.got = ""
        self.is_over = False

    def dataReceived(self, data: bytes) -> None:
        self.got += data.decode()

    def connectionLost(self, reason: object = None) -> None:
        self.is_over = True

    def say(self, text: str) -> None:
        assert self.transport is not None
        self.transport.write(text.encode())


class Peers:
    """Listens in place of a domain's server; `all` has a peer for each connection."""

    def __init__(self) -> None:
        self.all: list[Peer] = []

    def buildProtocol(self, address: object) -> Peer:
        peer = Peer()
        self.all.append(peer)
        return peer


async def known(world: S2sWorld, request: str) -> Peer:
    """Montague's server, authenticated by dialback, after it has sent `request`."""
    peer, pair = Peer(), Pair(MONTAGUE, CAPULET)
    world.wires.dial(AT_CAPULET, peer)
    peer.say(HEADER)
    await world.until(lambda: "<stream:features" in peer.got)
    [id] = re.findall(" id=[\"'](.*?)[\"']", peer.got)
    peer.say(request_of_dialback("result", pair, key(f"secret of {MONTAGUE}", pair, id)).decode())
    await world.until(lambda: "type='valid'" in peer.got)
    peer.say(request)
    return peer


async def manage(world: S2sWorld, peer: Peer, until: str) -> None:
    """Accept the dialback key, offer XEP-0198, and wait for `until` in what the server sends."""
    await world.until(lambda: peer.got)
    peer.say(OLD.replace("id='s1'", "id='s1' version='1.0'") + FEATURES)
    await world.until(lambda: "<db:result" in peer.got)
    peer.say(f"<db:result from='{CAPULET}' to='{MONTAGUE}' type='valid'/>")
    await world.until(lambda: until in peer.got)
