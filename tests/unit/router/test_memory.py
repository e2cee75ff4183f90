"""The router in memory: what the contract in tests/ports does not reach."""

from __future__ import annotations

from twisted.internet.task import Clock

from cluster.base.turn import Stage, Turn
from cluster.router.memory import MemoryNetwork
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from tests.helpers import memory_tracer


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
