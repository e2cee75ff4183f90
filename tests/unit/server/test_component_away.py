"""External components (XEP-0114) that are away: what waits for them, for how long, and how much."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.server.components.component import MAX_WAITING, WAIT_S
from cluster.streams.outbox import MAX_UNSENT_BYTES
from tests.components import ComponentPeer
from tests.network import CAPULET, MONTAGUE, Network
from tests.unit.server.component_network import PHONE, SECRET, SMS, join, text, with_components


@pytest.fixture
def network() -> Iterator[Network]:
    yield from with_components()


def test_what_is_sent_meanwhile_waits(network: Network) -> None:
    romeo, juliet = network.online("romeo@montague.lit/pda"), network.online("juliet@capulet.lit/balcony")
    network.say(romeo, text(PHONE, "1"))
    network.say(juliet, text(PHONE, "2"))
    network.say(romeo, text(PHONE, "3"))
    network.advance(WAIT_S - 1)
    sms = join(network)
    assert [line.split(" -> ")[0][-1] for line in sms.take()] == ["1", "2", "3"]
    network.advance(WAIT_S)
    assert romeo.take() + juliet.take() == []
    network.say(romeo, text(PHONE, "4"))
    assert len(sms.take()) == 1


def test_it_waits_for_the_node_that_the_component_connects_to(network: Network) -> None:
    """Found by `xmpplab simulate`: the heir of that node returned it, also where the component had it already."""
    network.add_node("s1-2")
    romeo, juliet = network.client("romeo@montague.lit/pda", at="s1-2"), network.client("juliet@capulet.lit/balcony")
    network.say(juliet, text(PHONE, "1"))
    network.kill(MONTAGUE)
    network.say(romeo, text(PHONE, "2"))
    network.advance(WAIT_S)
    assert romeo.take() + juliet.take() == []
    network.start(MONTAGUE)
    assert [line.split(" -> ")[0][-1] for line in join(network).take()] == ["1", "2"]


def test_it_waits_for_so_long(network: Network) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, text(PHONE, "1"))
    network.advance(WAIT_S / 2)
    network.say(romeo, text(PHONE, "2"))
    network.advance(WAIT_S / 2)
    assert romeo.take() == [f"message/error {PHONE}: wait remote-server-timeout"]
    assert [line.split(" -> ")[0][-1] for line in join(network).take()] == ["2"]


def test_so_many_wait(network: Network) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, "".join(text(PHONE, f"{number:03}") for number in range(MAX_WAITING + 5)))
    assert romeo.take() == [f"message/error {PHONE}: wait remote-server-timeout"] * 5
    assert [line.split(" -> ")[0][-3:] for line in join(network).take()] == [f"{n:03}" for n in range(MAX_WAITING)]


def test_what_waits_outlives_the_server(network: Network) -> None:
    """Found by `xmpplab simulate`: what a client of the component's node had sent was lost with that."""
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, text(PHONE, "1"))
    network.say(romeo, text(PHONE, "2"))
    network.kill(MONTAGUE)
    network.start(MONTAGUE)
    assert [line.split(" -> ")[0][-1] for line in join(network).take()] == ["1", "2"]


def test_what_is_sent_as_the_component_returns_overtakes_nothing(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    romeo.send(text(PHONE, "1"))
    sms = ComponentPeer(network.servers[MONTAGUE].components, SMS, SECRET)
    network.add(sms)
    for number in range(2, 10):
        romeo.send(text(PHONE, str(number)))
        network.clock.advance(0)
    network.settle()
    assert [line.split(" -> ")[0][-1] for line in sms.take()] == [str(number) for number in range(1, 10)]


def test_what_came_over_a_link_settles_when_it_is_delivered(network: Network) -> None:
    juliet = network.client("juliet@capulet.lit/balcony")
    network.say(juliet, text(PHONE))
    queue = network.links.queue(CAPULET, MONTAGUE)
    assert len(queue.entries) == 1  # a server that crashed here would read it again
    join(network)
    assert not queue.entries


def test_when_the_server_stops_the_senders_hear_of_it(network: Network) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, text(PHONE))
    network.servers[MONTAGUE].components.shut_down()
    network.settle()
    assert romeo.take() == [f"message/error {PHONE}: wait remote-server-timeout"]


@pytest.mark.parametrize("end", ["drop", "close"])
def test_what_was_not_yet_written_waits_for_the_next_stream(network: Network, end: str) -> None:
    sms, romeo = join(network, acknowledges=False), network.client("romeo@montague.lit/pda")
    sms.reading = False
    network.say(romeo, text(PHONE, "x" * 70_000))  # fills the socket
    for number in range(3):
        network.say(romeo, text(PHONE, str(number)))
    if end == "close":
        sms.close()
        network.settle()
    else:
        sms.drop()
    again = join(network)
    assert [line.split(" -> ")[0][-1] for line in again.take()] == ["0", "1", "2"]


def test_a_component_that_does_not_read(network: Network) -> None:
    sms, romeo = join(network, acknowledges=False), network.client("romeo@montague.lit/pda")
    sms.reading = False
    body = "x" * 100_000
    count = MAX_UNSENT_BYTES // len(body) + 10
    for _ in range(count):
        network.say(romeo, text(PHONE, body))
    assert not network.servers[MONTAGUE].components.components[SMS].is_connected
    sms.reading = True
    network.settle()
    assert sms.closed == "policy-violation: the peer does not read what it is sent"
    assert romeo.take() == []
    assert len(sms.take()) + len(join(network).take()) == count  # nothing lost, nothing twice
