"""What comes over a link is checked, also where one stanza came for many receivers."""

from __future__ import annotations

import msgspec
import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from cluster.base.settled import Settled
from cluster.base.storage import StorageRefused
from cluster.router import entry
from cluster.router.guard import REFUSED_S, LinkGuard
from cluster.router.port import Unsettled
from cluster.router.realm import NO_COMPONENTS
from cluster.server.routing import one_by_one
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make
from tests.helpers import memory_tracer

ROMEO = Jid.parse("romeo@montague.lit/pda")
RECEIVERS = [Jid.parse(f"juliet{number}@capulet.lit/balcony") for number in range(3)]


class Domain:
    """Takes what passes."""

    def __init__(self) -> None:
        self.taken: list[Stanza] = []
        self.refuses: set[Jid] = set()
        """Those for whom the storage accepts nothing now."""
        self.clock = Clock()
        tracer = memory_tracer("s2", self.clock)
        self.guard = LinkGuard(self.clock, "montague.lit", "capulet.lit", NO_COMPONENTS, self, tracer)

    def from_link(self, stanza: Stanza, place: str) -> Settled:
        if stanza.to in self.refuses:
            return fail(StorageRefused())
        self.taken.append(stanza)
        return None

    def copies_from_link(self, copies: Copies, place: str) -> list[Unsettled]:
        return one_by_one(self.from_link, copies, place)

    def bounce(self, stanza: Stanza, error: StanzaError) -> None:
        """Nothing is returned."""

    def receives(self, raw: bytes, receivers: list[Jid] = RECEIVERS, from_: Jid = ROMEO) -> list[str]:
        """An entry with this stanza for these receivers: who gets it."""
        self.take(raw, receivers, from_)
        return [str(each.to) for each in self.taken]

    def take(self, raw: bytes, receivers: list[Jid] = RECEIVERS, from_: Jid = ROMEO) -> Settled:
        stanza = msgspec.structs.replace(make("message", from_=from_, type="chat"), raw=raw)
        bundle = msgspec.msgpack.encode({"stanzas": [stanza], "receivers": {0: receivers}})
        return self.guard.take("1-0", entry.decode(bundle))


BEGIN = f'<message from="{ROMEO}"'.encode()


def test_copies_pass_in_their_order() -> None:
    assert Domain().receives(BEGIN + b"><body>hi</body></message>") == [*map(str, RECEIVERS)]


@pytest.mark.parametrize(
    "raw",
    [
        b"/><message/>", b"><body></message>", b"><!-- x --></message>", b'><a b="</message>',
        b' to="nurse@capulet.lit"/>',
    ],
)  # fmt: skip
def test_copies_of_what_is_not_one_element_do_not(raw: bytes) -> None:
    assert Domain().receives(BEGIN + raw) == []


def test_the_sender_is_of_the_other_domain() -> None:
    nurse = Jid.parse("nurse@capulet.lit")
    assert Domain().receives(f'<message from="{nurse}"/>'.encode(), from_=nurse) == []


def test_each_receiver_is_of_the_domain() -> None:
    receivers = [Jid.parse("nurse@shakespeare.lit"), RECEIVERS[1], Jid.parse("nurse@shakespeare.lit"), RECEIVERS[2]]
    assert Domain().receives(BEGIN + b"/>", receivers) == [str(RECEIVERS[1]), str(RECEIVERS[2])]


def test_a_receiver_that_is_no_address() -> None:
    """Its copy would not be an element for any client."""
    receivers = [Jid("juliet", "capulet.lit", "a\x01"), RECEIVERS[0]]
    assert Domain().receives(BEGIN + b"/>", receivers) == [str(RECEIVERS[0])]


def test_a_copy_that_the_storage_refuses_comes_again_alone() -> None:
    domain = Domain()
    domain.refuses = {RECEIVERS[1]}
    settled = domain.take(BEGIN + b"/>")
    assert isinstance(settled, Deferred)
    assert [each.to for each in domain.taken] == [RECEIVERS[0], RECEIVERS[2]]
    domain.refuses.clear()
    domain.clock.advance(REFUSED_S)
    assert settled.called
    assert [each.to for each in domain.taken] == [RECEIVERS[0], RECEIVERS[2], RECEIVERS[1]]
