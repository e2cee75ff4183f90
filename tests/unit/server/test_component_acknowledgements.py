"""External components that acknowledge what they get (XEP-0198): nothing is lost that was not safe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred

from cluster.server.components.component import MAX_AWAITED, MAX_WAITING, WAIT_S
from cluster.server.components.component_stream import MAX_UNSETTLED
from cluster.store.memory import memory_store
from cluster.streams.outbox import MAX_UNSENT_BYTES
from cluster.xmpp.stanza import Stanza
from tests.client import SOCKET_BYTES
from tests.components import ComponentPeer
from tests.network import CAPULET, MONTAGUE, Network
from tests.unit.server.component_network import PHONE, SECRET, SMS, join, text, with_components
from tests.unit.server.waiting_offline import WaitingOffline


@pytest.fixture
def network() -> Iterator[Network]:
    yield from with_components()


def numbers(peer: ComponentPeer) -> list[str]:
    return [line.partition(" -> ")[0].rpartition(": ")[2] for line in peer.take()]


@pytest.mark.parametrize("end", ["drop", "close"])
def test_what_was_not_acknowledged_waits_for_the_next_stream(network: Network, end: str) -> None:
    until: Deferred[None] = Deferred()
    sms, romeo = join(network, until=until), network.client("romeo@montague.lit/pda")
    for number in range(3):
        network.say(romeo, text(PHONE, str(number)))
    assert numbers(sms) == ["0", "1", "2"]
    if end == "close":
        sms.close()
        network.settle()
    else:
        sms.drop()
    network.say(romeo, text(PHONE, "3"))
    again = join(network)
    assert numbers(again) == ["0", "1", "2", "3"]
    again.drop()
    assert numbers(join(network)) == []  # that one has acknowledged them


def test_a_client_hears_that_it_is_safe_when_the_component_has_it(network: Network) -> None:
    """Or when a link has it, as where too much is at the component: the server reads on from the client."""
    until: Deferred[None] = Deferred()
    join(network, until=until)
    romeo = network.client("romeo@montague.lit/pda")
    romeo.send("<enable xmlns='urn:xmpp:sm:3'/>")
    ask = "<r xmlns='urn:xmpp:sm:3'/>"
    network.say(romeo, text(PHONE) + ask)
    assert romeo.output.endswith(b"<a xmlns='urn:xmpp:sm:3' h='0'/>")
    network.say(romeo, text(PHONE) * (MAX_AWAITED + 1))
    queue = network.links.queue(MONTAGUE, MONTAGUE)
    assert sum(len(entry.items) for entry in queue.entries) == 2
    until.callback(None)
    network.say(romeo, ask)
    assert f"h='{MAX_AWAITED + 2}'/>".encode() in romeo.output
    assert not queue.entries


def test_it_is_refused_when_the_component_does_not_come_back(network: Network) -> None:
    sms, romeo = join(network, until=Deferred()), network.online("romeo@montague.lit/pda")
    count = MAX_WAITING + 5
    network.say(romeo, "".join(text(PHONE, str(number)) for number in range(count)))
    sms.drop()
    network.advance(WAIT_S)
    assert romeo.take() == [f"message/error {PHONE}: wait remote-server-timeout"] * count


def test_what_came_over_a_link_settles_when_it_is_acknowledged(network: Network) -> None:
    until: Deferred[None] = Deferred()
    join(network, until=until)
    juliet = network.client("juliet@capulet.lit/balcony")
    network.say(juliet, text(PHONE))
    queue = network.links.queue(CAPULET, MONTAGUE)
    assert len(queue.entries) == 1  # the component may crash yet, and so may its server
    until.callback(None)
    network.settle()
    assert not queue.entries


def test_a_component_that_hangs_does_not_fill_a_link(network: Network) -> None:
    join(network, until=Deferred())
    juliet, romeo = network.client("juliet@capulet.lit/balcony"), network.online("romeo@montague.lit/pda")
    for number in range(3 * MAX_WAITING):
        network.say(juliet, text(PHONE, str(number)))
    assert len(network.links.queue(CAPULET, MONTAGUE).entries) == MAX_WAITING
    network.say(juliet, text("romeo@montague.lit"))
    assert len(romeo.take()) == 1


def test_when_the_server_stops_nothing_that_may_have_arrived_is_refused(network: Network) -> None:
    sms, romeo = join(network, until=Deferred()), network.online("romeo@montague.lit/pda")
    juliet = network.client("juliet@capulet.lit/balcony")
    network.say(romeo, text(PHONE, "1"))
    network.say(juliet, text(PHONE, "2"))
    network.servers[MONTAGUE].components.shut_down()
    network.settle()
    assert numbers(sms) == ["1", "2"]
    assert romeo.take() == []
    assert len(network.links.queue(CAPULET, MONTAGUE).entries) == 1  # and comes again


def test_a_message_that_may_come_twice_is_known_by_its_id(network: Network) -> None:
    """XEP-0359: whoever takes it again can see that, wherever it is from."""
    sms, romeo = join(network, until=Deferred()), network.client("romeo@montague.lit/pda")
    juliet = network.client("juliet@capulet.lit/balcony")
    for who in (romeo, juliet):
        network.say(
            who, text(PHONE).replace("<body>", "<stanza-id xmlns='urn:xmpp:sid:0' by='montague.lit' id='1'/><body>")
        )
    first = [ids_of(stanza) for stanza in sms.stanzas]
    assert [len(ids) for ids in first] == [1, 1]
    assert "1" not in {id for ids in first for id in ids}
    sms.drop()
    assert [ids_of(stanza) for stanza in join(network).stanzas] == first


def test_what_a_client_sends_again_is_known_by_its_id(network: Network) -> None:
    """Found by `xmpplab simulate`: a crash before the acknowledgement, and a mail was sent twice."""
    sms, romeo = join(network), network.client("romeo@montague.lit/pda")
    ingress, ids = network.servers[MONTAGUE].domain.ingress, list[str]()
    id_of_sent = ingress._id_of_sent  # the same if it is sent again
    ingress._id_of_sent = lambda *what: ids.append(id_of_sent(*what)) or ids[-1]
    romeo.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    network.say(romeo, text(PHONE, "1"))
    sms.drop()
    network.say(romeo, text(PHONE, "2"))
    again = join(network)
    assert [ids_of(stanza) for stanza in (*sms.stanzas, *again.stanzas)] == [[id] for id in ids]
    assert len(set(ids)) == 2


def ids_of(stanza: Stanza) -> list[str | None]:
    return [each.get("id") for each in stanza.tree.findall("{urn:xmpp:sid:0}stanza-id")]


def test_a_component_that_reads_but_does_not_acknowledge(network: Network) -> None:
    sms, romeo = join(network, until=Deferred()), network.client("romeo@montague.lit/pda")
    body = "x" * 100_000
    count = MAX_UNSENT_BYTES // len(body) + 2
    for _ in range(count):
        network.say(romeo, text(PHONE, body))
    assert sms.closed == "policy-violation: the component does not acknowledge what it is sent"
    assert len(join(network).take()) == count


def test_the_server_acknowledges_what_is_safe() -> None:
    offline = WaitingOffline()
    network = Network(components={SMS: SECRET}, stores={MONTAGUE: replace(memory_store(), offline=offline)})
    network.account("benvolio@montague.lit")
    sms = join(network)
    ask = "<r xmlns='urn:xmpp:sm:3'/>"
    network.say(sms, text("benvolio@montague.lit", from_=PHONE) + ask)
    assert sms.output.endswith(b"<a xmlns='urn:xmpp:sm:3' h='0'/>")
    offline.waiting[0].callback(None)
    network.settle()
    assert b"<a xmlns='urn:xmpp:sm:3' h='1'/>" in sms.output


def test_a_bad_address_is_answered(network: Network) -> None:
    sms = join(network)
    network.say(sms, f"<message from='{PHONE}' to='@' id='1'/>")
    assert sms.take() == [f"message/error montague.lit: modify jid-malformed -> {PHONE}"]
    network.say(sms, f"<message from='{PHONE}' to='@' id='1' type='error'/>")
    assert sms.take() == []


def test_a_flooding_component_is_paused_until_it_is_safe() -> None:
    offline = WaitingOffline()
    stores = {MONTAGUE: replace(memory_store(), offline=offline)}
    network = Network(components={SMS: SECRET}, stores=stores)
    network.account("benvolio@montague.lit")
    sms, romeo = join(network), network.online("romeo@montague.lit/pda")
    body = "x" * (SOCKET_BYTES // MAX_UNSETTLED // 2)
    count = 4 * MAX_UNSETTLED
    network.say(sms, "".join(text("benvolio@montague.lit", body, PHONE) for _ in range(count)))
    assert sms.wire.producerState == "paused"
    assert MAX_UNSETTLED <= len(offline.waiting) < count
    network.say(romeo, text("romeo@montague.lit/pda"))  # others are served
    assert len(romeo.take()) == 1
    while offline.kept < count:
        for waiting in offline.waiting[offline.kept :]:
            waiting.callback(None)
        network.settle()
    assert sms.wire.producerState == "producing"
