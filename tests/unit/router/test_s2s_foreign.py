"""What is recorded of stanzas to and from servers that record no hops."""

from __future__ import annotations

import msgspec
import pytest

from cluster.router.s2s import foreign
from cluster.router.s2s.foreign import Foreign
from cluster.trace.hop import Hop
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.chat_states import CHAT_STATE
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Kind, Stanza, make
from tests.ports.s2s_world import S2sWorld
from tests.ports.worlds import CAPULET, MONTAGUE, Node, chat
from tests.unit.router.s2s_peers import AT_CAPULET, Peers, known, manage, play

ROMEO, JULIET = Jid.parse(f"romeo@{MONTAGUE}/pda"), Jid.parse(f"juliet@{CAPULET}")
REFUSAL = StanzaError(Condition.SERVICE_UNAVAILABLE)


@pytest.mark.parametrize("recorded", [frozenset[str](), frozenset({MONTAGUE})])
def test_what_a_server_sends_that_follows_nothing_is_followed_from_here(recorded: frozenset[str]) -> None:
    async def scenario(world: S2sWorld) -> None:
        world.recorded = recorded
        await world.start(MONTAGUE)
        s2 = await world.start(CAPULET)
        s2.tracer.follow(f"romeo@{MONTAGUE}", 60.0)
        typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
        begin = f"<message from='{ROMEO}' to='{JULIET}'>"
        await known(world, f"{begin}<body>hi</body></message>{begin}{typing}</message>")
        await world.until(lambda: len(s2.delivered) == 2)
        seen = [(hop.event, hop.node, hop.detail) for hop in s2.hops]
        first = "its sender's server records no hops"
        assert seen == ([] if recorded else [("dequeued", "router", first), ("dequeued", "router", CHAT_STATE)])
        assert all(bool(stanza.trace_id) is not bool(recorded) for stanza in s2.delivered)

    play(scenario)


@pytest.mark.parametrize(
    ("kind", "recorded", "is_told"),
    [("message", (), True), ("message", (CAPULET,), False), ("iq", (CAPULET,), True)],
)
def test_that_a_server_has_acknowledged_what_it_does_not_record(
    kind: Kind, recorded: tuple[str, ...], is_told: bool
) -> None:
    """An iq crosses a stream without its trace id, to our servers too."""

    async def scenario(world: S2sWorld) -> None:
        world.recorded = frozenset(recorded)
        s1, peers = await world.start(MONTAGUE), Peers()
        world.wires.listen(AT_CAPULET, peers)
        s1.send(asked(kind))
        settled = s1.send(chat("1"))
        assert settled is not None
        await world.until(lambda: peers.all)
        await manage(world, peers.all[0], "<enable")
        peers.all[0].say("<enabled xmlns='urn:xmpp:sm:3'/>")
        await world.until(lambda: "<body>1</body>" in peers.all[0].got)
        assert [hop.event for hop in s1.hops] == ["enqueued"]
        peers.all[0].say("<a xmlns='urn:xmpp:sm:3' h='2'/>")
        await world.until(lambda: settled.called)
        told = [(hop.event, hop.detail) for hop in s1.hops[1:]]
        assert told == ([("dequeued", f"{CAPULET} has acknowledged it")] if is_told else [])

    play(scenario)


class Ours(Node):
    """A server of ours that has sent a followed stanza to one of another kind, and gets these back."""

    def __init__(self, kind: Kind, *answers: Stanza) -> None:
        super().__init__(S2sWorld().clock)
        self.tracer.follow(str(ROMEO), 60.0)
        foreign = Foreign(self.tracer)
        foreign.sent(asked(kind))
        for answer in answers:
            foreign.entrance(self).from_link(answer, "")

    @property
    def told(self) -> list[tuple[str, str, str, str, str]]:
        return [(hop.trace_id, hop.event, hop.detail, hop.from_, hop.to) for hop in self.hops]


def asked(kind: Kind = "message", id: str = "1") -> Stanza:
    stanza = make(kind, from_=ROMEO, to=JULIET, id=id, type="get" if kind == "iq" else None)
    return msgspec.structs.replace(stanza, trace_id="t")


def ends(hops: list[Hop]) -> list[str]:
    return [hop.trace_id for hop in hops]


def test_an_error_from_such_a_server_is_the_end_of_what_it_answers() -> None:
    ours = Ours("message", asked().error(REFUSAL))
    assert ours.told == [("t", "bounced", f"service-unavailable, answers {CAPULET}", str(ROMEO), str(JULIET))]
    assert [stanza.type for stanza in ours.delivered] == ["error"]


def test_a_result_from_such_a_server_says_that_the_request_came() -> None:
    assert Ours("iq", asked("iq").reply()).told == [
        ("t", "dequeued", f"{CAPULET} has answered it", str(ROMEO), str(JULIET))
    ]


@pytest.mark.parametrize("answer", [asked(id="2").error(REFUSAL), asked("presence").error(REFUSAL)])
def test_an_error_for_something_else_is_a_stanza_of_its_own(answer: Stanza) -> None:
    assert ends(Ours("message", answer).hops) == ["new"]


def test_an_answer_that_comes_twice_ends_it_once() -> None:
    answer = asked().error(REFUSAL)
    assert ends(Ours("message", answer, answer).hops) == ["t", "new"]


def test_what_may_be_answered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "MAX_ASKED", 2)
    node = Node(S2sWorld().clock)
    known = Foreign(node.tracer)
    for id in ("1", "2", "3"):
        known.sent(asked(id=id))
    for id in ("1", "2", "3"):
        known.entrance(node).from_link(asked(id=id).error(REFUSAL), "")
    assert [hop.event for hop in node.hops] == ["bounced", "bounced"]
