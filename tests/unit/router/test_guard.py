"""What comes over a link is checked, also where one stanza came for many receivers."""

from __future__ import annotations

import msgspec
import pytest
from twisted.internet.task import Clock

from cluster.router import entry
from cluster.router.guard import LinkGuard
from cluster.router.realm import NO_COMPONENTS
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from tests.helpers import memory_tracer

ROMEO = Jid.parse("romeo@montague.lit/pda")
RECEIVERS = [Jid.parse(f"juliet{number}@capulet.lit/balcony") for number in range(3)]


class Domain:
    """Takes what passes."""

    def __init__(self) -> None:
        self.taken: list[Stanza] = []
        clock = Clock()
        tracer = memory_tracer("s2", clock)
        self.guard = LinkGuard(clock, "montague.lit", "capulet.lit", NO_COMPONENTS, self.deliver, tracer)

    def deliver(self, stanza: Stanza, place: str) -> None:
        self.taken.append(stanza)

    def receives(self, raw: bytes, others: list[Jid], from_: Jid = ROMEO) -> list[str]:
        """An entry with this stanza for the first receiver and copies for others: who gets them."""
        stanza = msgspec.structs.replace(make("message", from_=from_, to=RECEIVERS[0], type="chat"), raw=raw)
        bundle = msgspec.msgpack.encode({"stanzas": [stanza], "others": {0: others}})
        self.guard.take("1-0", entry.decode(bundle))
        return [str(each.to) for each in self.taken]


BEGIN = f'<message from="{ROMEO}" to="{RECEIVERS[0]}"'.encode()


def test_copies_pass_in_their_order() -> None:
    assert Domain().receives(BEGIN + b"><body>hi</body></message>", RECEIVERS[1:]) == [*map(str, RECEIVERS)]


@pytest.mark.parametrize("raw", [b"/><message/>", b"><body></message>", b"><!-- x --></message>", b'><a b="</message>'])
def test_copies_of_what_is_not_one_element_do_not(raw: bytes) -> None:
    assert Domain().receives(BEGIN + raw, RECEIVERS[1:]) == []


def test_each_receiver_is_of_the_domain() -> None:
    others = [Jid.parse("nurse@shakespeare.lit"), RECEIVERS[1]]
    assert Domain().receives(BEGIN + b"/>", others) == [str(RECEIVERS[0]), str(RECEIVERS[1])]


def test_a_receiver_that_is_no_address() -> None:
    """Its copy would not be an element for any client."""
    assert Domain().receives(BEGIN + b"/>", [Jid("juliet", "capulet.lit", "a\x01")]) == [str(RECEIVERS[0])]
