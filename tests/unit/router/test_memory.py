"""The router in memory: what the contract in tests/ports does not reach."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cluster.base.turn import Stage, Turn
from cluster.router.memory import MemoryNetwork
from cluster.router.settings import FaultSettings, parse
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.helpers import memory_tracer
from tests.ports.worlds import Node


def test_what_is_sent_is_written_before_the_sessions_are_kept() -> None:
    """Else a crash in between leaves a session that is kept, and its stanzas that are not.

    Found by `xmpplab simulate verona --people 16 --troubles 9 --for 3m --seed 5`: contacts that were never asked for
    their presence.
    """
    clock = Clock()
    turn, network = Turn(clock), MemoryNetwork(clock, ("montague.lit", "capulet.lit"))
    router = network.router("montague.lit", memory_tracer("s1", clock), clock, turn)
    waiting: list[int] = []
    turn.add(lambda: waiting.append(network.waiting), Stage.SESSIONS)
    router.link("capulet.lit").send(make("presence", to=Jid.parse("juliet@capulet.lit"), type="probe"))
    clock.advance(0)
    assert waiting == [1]


def test_a_reader_that_crashed_is_replaced() -> None:
    clock = Clock()
    network = MemoryNetwork(clock, ("montague.lit", "capulet.lit"))
    reader, other = (network.router("capulet.lit", memory_tracer("s2", clock)) for _ in range(2))
    network.readers["capulet.lit"] = reader
    assert not network.forget(other)
    assert network.forget(reader)
    assert network.readers == {}


class Sink:
    """The end of a link, which notes what it is given."""

    def __init__(self, taken: list[str], name: str) -> None:
        self._taken = taken
        self._name = name

    def may_read(self, unsettled: int, unsettled_bytes: int) -> bool:
        return True

    def take(self, entry_id: str, items: list[Any], first: int = 0) -> None:
        self._taken.append(self._name)

    def let_go(self) -> None:
        pass


def test_all_nodes_of_a_domain_learn_the_faults_of_its_links() -> None:
    """Each of them takes XML streams, which have these faults too; only one reads what the router has."""
    clock = Clock()
    network = MemoryNetwork(clock, ("montague.lit", "capulet.lit"))
    nodes = [network.router("capulet.lit", memory_tracer(name, clock)) for name in ("s2", "s2-2")]
    taken: list[str] = []
    for node in nodes:
        Deferred.fromCoroutine(node.start(Node(clock)))
    network.set_faults("montague.lit", "capulet.lit", FaultSettings("", parse({"delay": "1s"})))
    for name, node in zip("ab", nodes, strict=True):
        sink = node.faults.before("montague.lit", Sink(taken, name), lambda: None)
        sink.take("1", [make("message", id="m")])
    assert taken == []
    clock.advance(1)
    assert taken == ["a", "b"]
