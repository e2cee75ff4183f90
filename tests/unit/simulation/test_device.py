"""A client of a simulation that nobody answers."""

from __future__ import annotations

from random import Random
from typing import Any

from cluster.simulation.device import Device
from cluster.virtual.network import Network
from cluster.virtual.timeline import NS, Timeline
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import make
from cluster.xmpp.streams.login import Login


def test_somebody_who_leaves_while_it_connects_and_comes_back() -> None:
    timeline = Timeline()
    nobody: Any = None
    host = Network(timeline).host("client")
    login = Login(Jid.parse("romeo@montague.lit/sim"), "secret")
    device = Device(host, [("s1", 5222)], login, nobody, Random(1), [])
    device.come()
    device.leave(make("presence", type="unavailable"))
    device.come()
    timeline.run(60 * NS)
    assert timeline.failures == 0
    assert not device.is_online
