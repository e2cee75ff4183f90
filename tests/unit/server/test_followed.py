"""What a server tells whoever watches the lab, where nothing is followed by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cluster.server.administration import MAX_FOLLOW_S
from cluster.trace.hop import Hop
from cluster.xmpp import element as xml
from tests.client import Client
from tests.network import CAPULET, MONTAGUE, START_UTC_S, Network, at_once, watched_log

ROMEO, JULIET = "romeo@montague.lit/pda", "juliet@capulet.lit"
BLOCK = f"<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{ROMEO}'/></block></iq>"


@pytest.fixture
def network() -> Iterator[Network]:
    """Of whose stanzas none is followed."""
    with watched_log() as failures:
        yield Network(sample_every=0)
    assert not failures


def say(network: Network, client: Client, to: str, kind: str = "message") -> tuple[str, list[str]]:
    """The error that comes back, and what the servers recorded."""
    client.stanzas.clear()
    for server in network.servers.values():
        server.journal.clear()
    what = "<body>hi</body>" if kind == "message" else "<ping xmlns='urn:xmpp:ping'/>"
    network.say(client, f"<{kind} to='{to}' type='{'get' if kind == 'iq' else 'chat'}' id='1'>{what}</{kind}>")
    errors = [xml.serialize(stanza).decode() for stanza in client.stanzas if stanza.get("type") == "error"]
    without_ids = re.sub(r'(?<=:0" id=")[0-9a-f]+', "", "".join(errors))  # of deliveries, each its own
    return without_ids.replace(to, "TO"), [f"{hop.event}: {hop.detail}" for hop in journal(network)]


def journal(network: Network) -> list[Hop]:
    return [hop for name in (MONTAGUE, CAPULET) for hop in network.servers[name].journal]


@pytest.mark.parametrize("kind", ["message", "iq"])
def test_whoever_runs_the_server_tells_a_block_from_nobody_and_the_sender_does_not(network: Network, kind: str) -> None:
    """XEP-0191 section 3.3: to who is blocked it looks as if nobody was there."""
    juliet, romeo = network.client(f"{JULIET}/balcony"), network.client(ROMEO)
    network.say(juliet, BLOCK)
    blocked, seen = say(network, romeo, f"{JULIET}/balcony", kind)
    nobody, seen_of_nobody = say(network, romeo, "nobody@capulet.lit/balcony", kind)
    assert blocked == nobody != ""
    assert seen == ["bounced: service-unavailable (the receiver blocks the sender)"]
    assert seen_of_nobody == ["bounced: service-unavailable (no such account)"]


def test_an_iq_for_a_resource_that_is_not_there(network: Network) -> None:
    network.account(JULIET)
    _, seen = say(network, network.client(ROMEO), f"{JULIET}/balcony", "iq")
    assert seen == ["bounced: service-unavailable (no such resource)"]
    network.client(f"{JULIET}/balcony")
    _, seen = say(network, network.client("tybalt@montague.lit/x"), f"{JULIET}/balcony", "iq")
    assert seen == ["bounced: service-unavailable (the sender may not see the resource)"]


def test_what_arrives_is_not_recorded(network: Network) -> None:
    network.client(f"{JULIET}/balcony")
    assert say(network, network.client(ROMEO), f"{JULIET}/balcony") == ("", [])


def follow_all(network: Network, seconds: float) -> None:
    for server in network.servers.values():
        at_once(server.server.administration.follow(START_UTC_S + network.clock.seconds() + seconds))


def test_every_stanza_is_followed_on_request(network: Network) -> None:
    network.client(f"{JULIET}/balcony")
    romeo = network.client(ROMEO)
    follow_all(network, 10.0)
    for kind in ("message", "iq"):
        _, seen = say(network, romeo, "nurse@capulet.lit", kind)
        assert seen[0] == "received: "
    network.clock.advance(10.1)
    assert say(network, romeo, f"{JULIET}/balcony") == ("", [])


def test_a_request_that_waited_too_long_does_nothing(network: Network) -> None:
    network.client(f"{JULIET}/balcony")
    follow_all(network, -1.0)
    assert say(network, network.client(ROMEO), f"{JULIET}/balcony") == ("", [])


def test_a_request_ends_however_the_clocks_are_set(network: Network) -> None:
    network.client(f"{JULIET}/balcony")
    romeo = network.client(ROMEO)
    follow_all(network, 1e9)
    network.clock.advance(MAX_FOLLOW_S + 1)
    assert say(network, romeo, f"{JULIET}/balcony") == ("", [])
