"""What a server says of its own accord is safe before the stanza that it is an answer to, or comes of, is handled."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from cluster.base.settled import Settled, all_of, both
from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import SM
from cluster.xmpp.stanza import Stanza, make
from tests.network import MONTAGUE, Network
from tests.phone import managed

HAMLET = Jid.parse("hamlet@elsinore.lit/castle")
PING = "urn:xmpp:ping"


class SlowLink:
    """Links that have not been written to Redis yet."""

    def __init__(self) -> None:
        self.settled: Deferred[None] = Deferred()
        self.sent: list[Stanza] = []

    def link(self, to_domain: str) -> SlowLink:
        return self

    def send(self, stanza: Stanza) -> Settled:
        self.sent.append(stanza)
        return self.settled


def request(to: str, payload: str) -> Stanza:
    return make("iq", from_=HAMLET, to=Jid.parse(to), id="1", type="get", payload=[Element(payload)])


def slow(network: Network) -> SlowLink:
    domain: Any = network.servers[MONTAGUE].domain
    domain.routing._router = link = SlowLink()
    return link


@pytest.mark.parametrize(
    "presence",
    [
        "<presence to='juliet@capulet.lit/balcony'/>",
        "<presence to='juliet@capulet.lit' type='subscribe'/>",
        "<presence><show>away</show></presence>",
        "<presence type='unavailable'/>",
    ],
)
def test_presence_is_acknowledged_when_it_is_safe(network: Network, presence: str) -> None:
    network.friends("romeo@montague.lit", "juliet@capulet.lit")
    romeo = managed(network, "romeo@montague.lit/pda")
    link = slow(network)
    network.say(romeo, presence + f"<r xmlns='{SM}'/>")
    assert link.sent
    assert {each.get("h") for each in romeo.got if each.tag == f"{{{SM}}}a"} <= {"0"}
    link.settled.callback(None)
    network.say(romeo, f"<r xmlns='{SM}'/>")
    assert romeo.last("a").get("h") == "1"


@pytest.mark.parametrize(
    "stanza",
    [
        request(MONTAGUE, f"{{{PING}}}ping"),
        request(MONTAGUE, "{urn:unknown}query"),
        request("nobody@montague.lit", "{urn:unknown}query"),
        request("romeo@montague.lit", "{vcard-temp}vCard"),
        make("message", from_=HAMLET, to=Jid.parse("nobody@montague.lit")),
        make("presence", from_=HAMLET, to=Jid.parse("romeo@montague.lit"), type="probe"),
    ],
)
def test_a_stanza_of_a_link_has_settled_when_its_answer_is_safe(network: Network, stanza: Stanza) -> None:
    network.account("romeo@montague.lit")
    link = slow(network)
    settled = network.servers[MONTAGUE].domain.routing.from_link(stanza, "elsinore.lit:1-1:0")
    assert settled is not None
    assert len(link.sent) == 1
    done: list[object] = []
    settled.addCallback(done.append)
    assert not done
    link.settled.callback(None)
    assert len(done) == 1


def test_parts_that_are_one_are_counted_once() -> None:
    one: Deferred[None] = Deferred()
    other: Deferred[None] = Deferred()
    assert all_of([None, None]) is None
    assert all_of([None, one, one]) is one
    assert both(one, one) is one
    done: list[object] = []
    together = all_of([one, other, None, one])
    assert together is not None
    together.addCallback(done.append)
    one.callback(None)
    assert not done
    other.callback(None)
    assert len(done) == 1
