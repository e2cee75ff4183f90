"""External components (XEP-0114) at a server: who is let in, and where stanzas go."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from cluster.server.components.component_stream import HANDSHAKE_TIMEOUT_S
from cluster.streams.connection import CLOSE_TIMEOUT_S
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import STANZA_ID
from cluster.xmpp.stanza import make
from tests.client import Connection
from tests.conformance.rules import core
from tests.network import CAPULET, ELSINORE, MONTAGUE, Network
from tests.unit.server.component_network import MAIL, PHONE, SECRET, SMS, join, text, with_components


@pytest.fixture
def network() -> Iterator[Network]:
    yield from with_components()


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


# --- where stanzas go


@core("10.5", "MUST", "A stanza for a domain of a specialized local service is routed to that service.")
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
    """No server of the lab sends it to that of the domain above, which has no such component (see router/guard.py)."""
    from_, to = Jid.parse(f"hamlet@{ELSINORE}"), Jid.parse("x@irc.montague.lit")
    message = msgspec.structs.replace(make("message", from_=from_, to=to), trace_id="t")
    network.abroad._router.link(MONTAGUE).send(message)
    network.settle()
    [hop] = [hop for hop in network.servers[MONTAGUE].journal if hop.trace_id == "t"]
    assert (hop.event, hop.detail) == ("dropped", "to is not of this domain")
    romeo = network.online("romeo@montague.lit/pda")
    network.say(romeo, f"<message to='{to}'/>")
    assert romeo.take() == [f"message/error {to}: cancel remote-server-not-found"]


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


@pytest.mark.parametrize(("by", "stays"), [(SMS, False), (PHONE, False), ("irc.montague.lit", True)])
def test_nobody_elsewhere_gives_ids_in_its_name(network: Network, by: str, stays: bool) -> None:  # XEP-0359 section 6
    romeo, juliet = network.online("romeo@montague.lit/pda"), network.online("juliet@capulet.lit/balcony")
    given = f"<stanza-id xmlns='{STANZA_ID}' by='{by}' id='given'/>"
    network.say(juliet, f"<message to='romeo@montague.lit' type='chat'><body>hi</body>{given}</message>")
    ids = [each.get("id") for each in romeo.stanzas[-1].findall(f"{{{STANZA_ID}}}stanza-id")]
    assert ("given" in ids) == stays


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
