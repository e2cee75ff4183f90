"""External components (XEP-0114) at a server: who is let in, where stanzas go, and what waits for one that is away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cluster.redisio.turn import Turn
from cluster.server.component import MAX_WAITING, WAIT_S, Component
from cluster.server.component_stream import HANDSHAKE_TIMEOUT_S, MAX_UNSETTLED
from cluster.server.connection import CLOSE_TIMEOUT_S
from cluster.server.domain import Domain
from cluster.server.outbox import MAX_UNSENT_BYTES
from cluster.store.memory import MemoryOffline, memory_store
from cluster.store.port import OfflineMessage
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from tests.client import SOCKET_BYTES, Connection
from tests.components import ComponentPeer
from tests.conformance.rules import core
from tests.network import CAPULET, ELSINORE, MONTAGUE, Network, at_once, watched_log

SMS, MAIL, SECRET = "sms.montague.lit", "mail.montague.lit", "hush"
PHONE = f"+39333@{SMS}"


@pytest.fixture
def network() -> Iterator[Network]:
    """montague.lit with two components, and capulet.lit."""
    with watched_log() as failures:
        yield Network(components={SMS: SECRET, MAIL: "other"})
    assert not failures


def join(
    network: Network, domain: str = SMS, secret: str = SECRET, *, acknowledges: bool = True, until: Any = None
) -> ComponentPeer:
    peer = ComponentPeer(network.servers[MONTAGUE].components, domain, secret, acknowledges)
    peer.until = until
    network.add(peer)
    network.settle()
    return peer


def text(to: str, body: str = "hi", from_: str = "") -> str:
    attribute = f" from='{from_}'" if from_ else ""
    return f"<message{attribute} to='{to}' type='chat'><body>{body}</body></message>"


# --- who is let in


def test_a_component_joins(network: Network) -> None:
    assert join(network).is_joined
    assert join(network, MAIL, "other").is_joined


@pytest.mark.parametrize(
    ("domain", "secret", "condition"),
    [
        (SMS, "wrong", "not-authorized"),
        (SMS, "other", "not-authorized"),
        ("irc.montague.lit", SECRET, "host-unknown"),
        (MONTAGUE, SECRET, "host-unknown"),
    ],
)
def test_who_is_not_let_in(network: Network, domain: str, secret: str, condition: str) -> None:
    stranger = join(network, domain, secret)
    assert stranger.closed is not None
    assert stranger.closed.startswith(f"{condition}: ")
    assert stranger.is_closed


def test_a_component_is_connected_once(network: Network) -> None:
    first, second = join(network), join(network)
    assert second.closed == f"conflict: {SMS} is connected already"
    romeo = network.client("romeo@montague.lit/pda")
    network.say(romeo, text(PHONE))
    assert len(first.take()) == 1
    first.drop()
    assert join(network).is_joined


def test_no_handshake_in_time(network: Network) -> None:
    silent = Connection(network.servers[MONTAGUE].components)
    network.add(silent)
    network.advance(HANDSHAKE_TIMEOUT_S - 0.5)
    assert not silent.output
    network.advance(0.5)
    assert b"<connection-timeout " in silent.output
    assert silent.is_closed


def test_a_component_has_no_time_limit(network: Network) -> None:
    peer = join(network)
    network.advance(1_000_000)
    assert not peer.is_closed


def test_a_peer_that_does_not_end_its_side(network: Network) -> None:
    peer = join(network)
    peer.reading = False
    peer.send("<junk/>")
    network.settle()
    assert not peer.is_closed
    network.advance(CLOSE_TIMEOUT_S)
    assert not peer.is_closed
    network.advance(CLOSE_TIMEOUT_S)
    assert peer.is_closed


def test_the_server_stops(network: Network) -> None:
    peer = join(network)
    network.servers[MONTAGUE].components.shut_down()
    network.settle()
    assert peer.closed == "system-shutdown"


def test_a_component_is_below_its_server() -> None:
    """Other domains would take nothing from it (router/gate.py)."""
    with pytest.raises(ValueError, match=r"component sms\.montague\.lit is not below elsewhere\.lit"):
        elsewhere(Component(SMS, SECRET, Clock(), Network().servers[MONTAGUE].domain.tracer))


def elsewhere(component: Component) -> Domain:
    domain = Network(domains=("elsewhere.lit",)).servers["elsewhere.lit"]
    return Domain(
        "elsewhere.lit", store=domain.store, router=domain.domain.router, tracer=domain.domain.tracer,
        credentials=domain.domain.credentials, modules=[], registration=False, new_id=lambda: "", now_utc_s=lambda: 0.0,
        clock=Clock(), turn=Turn(Clock()), components=[component],
    )  # fmt: skip


@core("10.5", "MUST", "A stanza for a domain of a specialized local service is routed to that service.")
# --- where stanzas go


def test_between_a_component_and_the_accounts_of_its_server(network: Network) -> None:
    sms, romeo = join(network), network.online("romeo@montague.lit/pda")
    network.say(romeo, text(PHONE))
    assert sms.take() == [f"message/chat romeo@montague.lit/pda: hi -> {PHONE}"]
    network.say(sms, text("romeo@montague.lit", "hi yourself", PHONE))
    assert romeo.take() == [f"message/chat {PHONE}: hi yourself"]


def test_between_a_component_and_another_domain(network: Network) -> None:
    sms, juliet = join(network), network.online("juliet@capulet.lit/balcony")
    network.say(juliet, text(PHONE))
    assert sms.take() == [f"message/chat juliet@capulet.lit/balcony: hi -> {PHONE}"]
    network.say(sms, text("juliet@capulet.lit/balcony", "hi yourself", PHONE))
    assert juliet.take() == [f"message/chat {PHONE}: hi yourself"]
    network.say(sms, text("nobody@verona.example", from_=PHONE))
    assert sms.take() == [f"message/error nobody@verona.example: cancel remote-server-not-found -> {PHONE}"]


def test_between_two_components(network: Network) -> None:
    sms, mail = join(network), join(network, MAIL, "other")
    network.say(sms, text(f"friar@{MAIL}", from_=PHONE))
    assert mail.take() == [f"message/chat {PHONE}: hi -> friar@{MAIL}"]


def test_an_iq_is_the_components_to_answer(network: Network) -> None:
    sms, juliet = join(network), network.online("juliet@capulet.lit/balcony")
    network.say(juliet, f"<iq type='get' id='1' to='{SMS}'><ping xmlns='urn:xmpp:ping'/></iq>")
    [request] = sms.stanzas
    network.say(sms, request.reply().raw.decode())
    assert juliet.take() == [f"iq/result {SMS} 1"]


def test_a_component_asks_a_server(network: Network) -> None:
    sms = join(network)
    network.say(sms, f"<iq type='get' id='1' from='{SMS}' to='capulet.lit'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert sms.take() == [f"iq/result capulet.lit 1 -> {SMS}"]


@pytest.mark.parametrize("iq", ["<iq id='1'", "<iq id='1' type='get'", "<iq type='result'"])
def test_what_no_iq_is(network: Network, iq: str) -> None:
    sms, juliet = join(network), network.online("juliet@capulet.lit/balcony")
    network.say(sms, f"{iq} from='{SMS}' to='juliet@capulet.lit/balcony'/>")
    assert juliet.take() == []
    assert [line for line in sms.take() if "bad-request" not in line] == []


def test_presence_and_subscriptions(network: Network) -> None:
    sms = join(network)
    network.contact("romeo@montague.lit", SMS, subscription="both")
    romeo = network.online("romeo@montague.lit/pda")
    assert sms.take() == [
        f"presence romeo@montague.lit/pda -> {SMS}",
        f"presence/probe romeo@montague.lit -> {SMS}",
    ]
    network.say(sms, f"<presence from='{SMS}' to='romeo@montague.lit'/>")
    assert romeo.take() == [f"presence {SMS}"]


def test_disco_names_the_components(network: Network) -> None:
    romeo = network.client("romeo@montague.lit/pda")
    items = "http://jabber.org/protocol/disco#items"
    network.say(romeo, f"<iq type='get' id='1' to='{MONTAGUE}'><query xmlns='{items}'/></iq>")
    [reply] = romeo.stanzas
    assert [item.get("jid") for item in reply.iter(f"{{{items}}}item")] == [SMS, MAIL]


def test_a_component_that_is_not_configured(network: Network) -> None:
    """By the name of the server it may come over a link; then nothing is served under it (RFC 6120 section 10.5)."""
    from_, to = Jid.parse(f"hamlet@{ELSINORE}"), Jid.parse("x@irc.montague.lit")
    network.abroad._router.link(MONTAGUE).send(make("message", from_=from_, to=to))
    network.settle()
    assert network.abroad.take() == [f"message/error {to}: cancel service-unavailable -> {from_}"]


def test_an_account_has_no_messages_of_a_subdomain(network: Network) -> None:
    romeo = network.online("romeo@montague.lit/pda")
    from_, to = Jid.parse(f"hamlet@{ELSINORE}"), Jid.parse("romeo@irc.montague.lit/pda")
    network.abroad._router.link(MONTAGUE).send(make("message", from_=from_, to=to))
    network.settle()
    assert romeo.take() == []


@pytest.mark.parametrize("from_", ["romeo@montague.lit", MONTAGUE, f"x@{MAIL}", "juliet@capulet.lit"])
def test_a_component_speaks_for_itself_only(network: Network, from_: str) -> None:
    sms, romeo = join(network), network.online("romeo@montague.lit/pda")
    network.say(sms, text("romeo@montague.lit", from_=from_))
    assert sms.closed == f"invalid-from: this stream is {SMS}, not {from_}"
    assert romeo.take() == []


# --- a component that is away


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


def test_what_came_over_a_link_settles_when_it_is_delivered(network: Network) -> None:
    juliet = network.client("juliet@capulet.lit/balcony")
    network.say(juliet, text(PHONE))
    queue = network._memory.queue(CAPULET, MONTAGUE)
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
    assert not network.servers[MONTAGUE].domain.components[SMS].is_connected
    sms.reading = True
    network.settle()
    assert sms.closed == "policy-violation: the peer does not read what it is sent"
    assert romeo.take() == []
    assert len(sms.take()) + len(join(network).take()) == count  # nothing lost, nothing twice


# --- a component that acknowledges (XEP-0198)


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
    queue = network._memory.queue(CAPULET, MONTAGUE)
    assert len(queue.entries) == 1  # the component may crash yet, and so may its server
    until.callback(None)
    network.settle()
    assert not queue.entries


def test_a_component_that_hangs_does_not_fill_a_link(network: Network) -> None:
    join(network, until=Deferred())
    juliet, romeo = network.client("juliet@capulet.lit/balcony"), network.online("romeo@montague.lit/pda")
    for number in range(3 * MAX_WAITING):
        network.say(juliet, text(PHONE, str(number)))
    assert len(network._memory.queue(CAPULET, MONTAGUE).entries) == MAX_WAITING
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
    assert len(network._memory.queue(CAPULET, MONTAGUE).entries) == 1  # and comes again


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


class WaitingOffline(MemoryOffline):
    """Keeps messages only when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Deferred[None]] = []

    async def push(self, localpart: str, message: OfflineMessage, limit: int) -> bool:
        self.waiting.append(Deferred())
        await self.waiting[-1]
        return await super().push(localpart, message, limit)


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
    while (kept := len(at_once(offline.load("benvolio")))) < count:
        for waiting in offline.waiting[kept:]:
            waiting.callback(None)
        network.settle()
    assert sms.wire.producerState == "producing"


# --- traces


def test_a_trace_crosses_the_component(network: Network) -> None:
    sms, juliet = join(network), network.online("juliet@capulet.lit/balcony")
    probe = "<probe xmlns='urn:xmpplab:trace:0' id='t1'/>"
    network.say(juliet, f"<message to='{PHONE}'>{probe}</message>")
    [there] = sms.stanzas
    assert there.trace_id == "t1"
    network.say(sms, f"<message from='{PHONE}' to='juliet@capulet.lit/balcony'>{probe}</message>")
    hops = [(hop.node, hop.event, hop.detail) for hop in network.servers[MONTAGUE].journal if hop.trace_id == "t1"]
    assert hops == [
        ("router", "dequeued", ""),
        (MONTAGUE, "delivered", f"component {SMS}"),
        (MONTAGUE, "received", ""),
        (MONTAGUE, "routed", "link to capulet.lit"),
        ("router", "enqueued", "to capulet.lit"),
    ]
    routed = [hop.detail for hop in network.servers[CAPULET].journal if hop.event == "routed" and hop.trace_id == "t1"]
    assert routed == ["link to montague.lit"]
