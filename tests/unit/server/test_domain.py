"""What a domain does when its surroundings fail or misbehave: other domains, and its own store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.redisio.refusal import error_reply
from cluster.store.limits import Limit
from cluster.store.memory import MemoryOffline, memory_store
from cluster.store.port import OfflineMessage
from cluster.trace.hop import Event
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Kind, make
from tests.network import CAPULET, MONTAGUE, Network, watched_log

ROMEO, HAMLET = Jid.parse("romeo@montague.lit/pda"), Jid.parse("hamlet@elsinore.lit/x")


@pytest.mark.parametrize("to", [ROMEO.bare, Jid("", MONTAGUE)])
@pytest.mark.parametrize("type", ["get", "set"])
def test_a_request_without_a_payload_from_abroad(network: Network, type: str, to: Jid) -> None:
    network.client(str(ROMEO))  # RFC 6120 section 8.2.3
    network.abroad.send(make("iq", from_=HAMLET, to=to, id="1", type=type))
    network.settle()
    assert network.abroad.take() == [f"iq/error {to} 1: modify bad-request -> {HAMLET}"]


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@pytest.mark.parametrize("type", ["error", "result", "probe", "nonsense", None])
@pytest.mark.parametrize("to", ["montague.lit", "romeo@montague.lit", str(ROMEO), "nobody@montague.lit"])
def test_nothing_that_comes_from_abroad_breaks_a_domain(network: Network, kind: Kind, type: str, to: str) -> None:
    romeo = network.client(str(ROMEO))
    network.abroad.send(make(kind, from_=HAMLET, to=Jid.parse(to), id="1", type=type))
    network.settle()
    if type in ("error", "result"):
        assert not [line for line in network.abroad.take() if "/error" in line]
    network.forget()
    network.say(romeo, "<iq type='get' id='2' to='montague.lit'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert romeo.take() == ["iq/result montague.lit 2"]


class FullDisk(MemoryOffline):
    """A store that fails."""

    async def push(
        self, localpart: str, message: OfflineMessage, limit: Limit, total_bytes: int = 1 << 30, *, first: bool = False
    ) -> bool:
        raise OSError("no space left on device")


def test_a_message_that_cannot_be_kept_comes_back() -> None:
    store = memory_store()
    network = Network(stores={MONTAGUE: replace(store, offline=FullDisk())})
    network.account("benvolio@montague.lit")
    romeo = network.client(str(ROMEO))
    with watched_log() as failures:
        network.say(romeo, "<message to='benvolio@montague.lit' type='chat'><body>hi</body></message>")
    assert [failure["log_failure"].type for failure in failures] == [OSError]
    assert romeo.take() == ["message/error benvolio@montague.lit: cancel internal-server-error"]
    assert romeo.wire.producerState == "producing"


class FullRedis(MemoryOffline):
    """A store that refuses what it may take later."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    async def push(
        self, localpart: str, message: OfflineMessage, limit: Limit, total_bytes: int = 1 << 30, *, first: bool = False
    ) -> bool:
        self.refusals -= 1
        if self.refusals >= 0:
            raise error_reply("MISCONF Errors writing to the AOF file: No space left on device")
        return await super().push(localpart, message, limit, total_bytes, first=first)


def test_a_message_that_the_storage_refuses_for_now_comes_back_to_be_sent_later() -> None:
    store = memory_store()
    network = Network(stores={MONTAGUE: replace(store, offline=FullRedis(1))})
    network.account("benvolio@montague.lit")
    romeo = network.client(str(ROMEO))
    network.say(romeo, "<message to='benvolio@montague.lit' type='chat'><body>hi</body></message>")
    assert romeo.take() == ["message/error benvolio@montague.lit: wait resource-constraint"]


def test_a_message_from_elsewhere_that_the_storage_refuses_waits_for_it() -> None:
    """It is acknowledged, so it may not be lost; and the store that would bear the way back is as full."""
    store = memory_store()
    network = Network(stores={CAPULET: replace(store, offline=FullRedis(3))})
    network.account("juliet@capulet.lit")
    romeo = network.client(str(ROMEO))
    network.say(romeo, "<message to='juliet@capulet.lit' type='chat'><body>hi</body></message>")
    network.advance(1)
    network.advance(1)
    network.advance(1)
    assert romeo.take() == []
    juliet = network.client("juliet@capulet.lit")
    network.say(juliet, "<presence/>")
    assert [line for line in juliet.take() if line.startswith("message")] == [f"message/chat {ROMEO}: hi"]


def test_the_hops_of_a_message(network: Network) -> None:
    juliet, romeo = network.online("juliet@capulet.lit/balcony"), network.client(str(ROMEO))
    for server in network.servers.values():
        server.journal.clear()
    network.say(romeo, f"<message to='{juliet.jid}'><body>hi</body></message>")
    [trace_id] = {hop.trace_id for server in network.servers.values() for hop in server.journal}
    assert trace_id
    assert [hop.event for hop in network.servers[MONTAGUE].journal] == [Event.RECEIVED, Event.ROUTED, Event.ENQUEUED]
    assert [hop.event for hop in network.servers[CAPULET].journal] == [Event.DEQUEUED, Event.DELIVERED]


def test_an_account_forces_no_more_traces_than_it_may() -> None:
    network = Network(probes_per_minute=3, components={"sms.montague.lit": "secret"})
    romeo, juliet = network.online("romeo@montague.lit/pda"), network.online("juliet@capulet.lit/balcony")
    probe = "<probe xmlns='urn:xmpplab:trace:0' id='{}'/>"

    def send(number: int) -> None:
        id = f"p{number}"
        network.say(romeo, f"<message to='{juliet.jid}'><body>{number}</body>{probe.format(id)}</message>")

    def followed() -> set[str]:
        return {hop.trace_id for hop in network.servers["montague.lit"].journal if hop.trace_id.startswith("p")}

    for number in range(5):
        send(number)
    assert followed() == {"p0", "p1", "p2"}
    network.advance(60)
    send(5)
    assert followed() == {"p0", "p1", "p2", "p5"}
    assert juliet.take() == [f"message {romeo.jid}: {number}" for number in range(6)]  # they arrive all the same


def test_a_probe_of_a_trace_brings_its_own_id(network: Network) -> None:
    network.account("juliet@capulet.lit")
    romeo = network.client(str(ROMEO))
    network.say(
        romeo, "<message to='juliet@capulet.lit'><body>hi</body><probe xmlns='urn:xmpplab:trace:0' id='p1'/></message>"
    )
    assert [hop.event for hop in network.servers[CAPULET].journal if hop.trace_id == "p1"] == [
        Event.DEQUEUED,
        Event.STORED,
    ]
