"""What tests of bidirectional streams between servers (XEP-0288) share."""

from __future__ import annotations

import re
from typing import Any

from cluster.router.s2s.ports import Address
from cluster.xmpp.streams.servers.dialback import Pair, key
from cluster.xmpp.streams.servers.dialback import request as request_of_dialback
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, chat
from tests.unit.router.s2s_peers import AT_CAPULET, Peer, Scenario
from tests.unit.xmpp.server_streams import HEADER

AT_MONTAGUE = Address(MONTAGUE, 5269)
BIDI = "<bidi xmlns='urn:xmpp:bidi'/>"
OFFER = "<bidi xmlns='urn:xmpp:features:bidi'/>"
ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
FEATURES = f"<stream:features><dialback xmlns='urn:xmpp:features:dialback'/>{OFFER}</stream:features>"
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit/balcony"


def play(scenario: Scenario, *, both_ways: bool = True) -> None:
    S2sWorld(both_ways=both_ways).run(scenario)


def answer(text: str) -> Any:
    return chat(text, JULIET, ROMEO)


async def known(world: S2sWorld, before: str = BIDI) -> Peer:
    """Montague's server, authenticated by dialback; `before`: what it says first."""
    peer, pair = Peer(), Pair(MONTAGUE, CAPULET)
    world.wires.dial(AT_CAPULET, peer)
    peer.say(HEADER)
    await world.until(lambda: "</stream:features>" in peer.got)
    [id] = re.findall(" id=[\"'](.*?)[\"']", peer.got)
    peer.say(before + request_of_dialback("result", pair, key(f"secret of {MONTAGUE}", pair, id)).decode())
    await world.until(lambda: "type='valid'" in peer.got)
    return peer


def message(from_: str, to: str, body: str = "x") -> str:
    return f"<message from='{from_}' to='{to}'><body>{body}</body></message>"
