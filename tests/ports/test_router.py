"""One contract for every router."""

from __future__ import annotations

import msgspec
import pytest
from twisted.internet.defer import Deferred, succeed

from cluster.base.settled import Settled
from cluster.xmpp.copies import Copies, each_of
from cluster.xmpp.errors import Condition, ErrorType
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make, opening
from tests.conformance.rules import core
from tests.ports.conftest import Run
from tests.ports.worlds import CAPULET, DENMARK, MONTAGUE, SHAKESPEARE, World, chat, text_of


def test_what_is_sent_arrives_with_its_bytes(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        iq = make("iq", from_=Jid.parse("romeo@montague.lit/pda"), to=Jid.parse("capulet.lit"), id="1", type="get")
        s1.send(iq)
        await world.until(lambda: s2.delivered)
        assert s2.delivered == [iq]
        assert s1.bounced == []

    run(scenario)


def test_order_is_kept_over_many_turns_and_links(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2, s3 = await world.start(MONTAGUE), await world.start(CAPULET), await world.start(SHAKESPEARE)
        for turn in range(40):
            for number in range(5):
                s1.send(chat(f"{turn}.{number}"))
                s3.send(chat(f"{turn}.{number}", from_="falstaff@shakespeare.lit/inn"))
                s1.send(chat(f"{turn}.{number}", to="falstaff@shakespeare.lit"))
            await world.turn()
        expected = [f"{turn}.{number}" for turn in range(40) for number in range(5)]
        await world.until(lambda: len(s2.delivered) == 400 and len(s3.delivered) == 200)
        for sender in (MONTAGUE, SHAKESPEARE):
            assert [text_of(s) for s in s2.delivered if s.from_ and s.from_.domainpart == sender] == expected
        assert [text_of(stanza) for stanza in s3.delivered] == expected

    run(scenario)


def test_what_is_sent_in_one_turn_settles_together(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        settled = [s1.send(chat(str(number))) for number in range(10)]
        assert len(set(map(id, settled))) == 1
        assert settled[0] is not None
        await settled[0]
        await world.until(lambda: len(s2.delivered) == 10)

    run(scenario)


def test_both_directions_are_apart(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.send(chat("hi!"))
        s2.send(chat("hi yourself!", from_="juliet@capulet.lit/balcony", to="romeo@montague.lit/pda"))
        await world.until(lambda: s1.delivered and s2.delivered)
        assert [text_of(stanza) for stanza in s1.delivered] == ["hi yourself!"]
        assert [text_of(stanza) for stanza in s2.delivered] == ["hi!"]

    run(scenario)


def test_a_domain_that_nobody_serves_is_bounced_at_once_and_in_order(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1 = await world.start(MONTAGUE)
        for number in range(3):
            s1.send(chat(str(number), to="yorick@elsinore.lit"))
        await s1.sent(chat("3", to="yorick@elsinore.lit"))
        assert [text_of(stanza) for stanza, _ in s1.bounced] == ["0", "1", "2", "3"]
        assert {error.condition for _, error in s1.bounced} == {Condition.REMOTE_SERVER_NOT_FOUND}
        assert {error.type for _, error in s1.bounced} == {ErrorType.CANCEL}
        s1.send(chat("again", to="yorick@elsinore.lit"))
        await world.until(lambda: len(s1.bounced) == 5)

    run(scenario)


def test_a_domain_to_which_no_link_leads_is_bounced_with_the_reason(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2, s4 = await world.start(MONTAGUE), await world.start(CAPULET), await world.start(DENMARK)
        await s4.sent(chat("1", from_="hamlet@denmark.lit/castle", to="romeo@montague.lit"))
        await world.until(lambda: len(s4.bounced) == 1)
        [(_, error)] = s4.bounced
        assert error.condition is Condition.REMOTE_SERVER_NOT_FOUND
        assert error.text == "no link leads from denmark.lit to montague.lit"
        s4.send(chat("2", from_="hamlet@denmark.lit/castle"))
        await world.until(lambda: s2.delivered)
        assert [text_of(stanza) for stanza in s2.delivered] == ["2"]
        assert s1.delivered == []

    run_queued(scenario)


@core("10.4.3", "MUST", "Where the domain is resolved but no stream can be made: remote-server-timeout.")
def test_for_a_domain_that_is_not_up_stanzas_wait(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1 = await world.start(MONTAGUE)
        for number in range(3):
            await s1.sent(chat(str(number)))
        s2 = await world.start(CAPULET)
        await world.until(lambda: len(s2.delivered) == 3)
        assert [text_of(stanza) for stanza in s2.delivered] == ["0", "1", "2"]
        assert s1.bounced == []

    run_queued(scenario)


def test_beyond_max_backlog_senders_are_told_to_wait(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1 = await world.start(MONTAGUE)
        for number in range(60):
            await s1.sent(chat(str(number)))
        assert [text_of(stanza) for stanza, _ in s1.bounced] == [str(number) for number in range(50, 60)]
        assert {error.condition for _, error in s1.bounced} == {Condition.REMOTE_SERVER_TIMEOUT}
        assert {error.type for _, error in s1.bounced} == {ErrorType.WAIT}
        s2 = await world.start(CAPULET)
        await world.until(lambda: len(s2.delivered) == 50)
        await world.until_empty(MONTAGUE, CAPULET)
        s1.send(chat("below again"))
        await world.until(lambda: len(s2.delivered) == 51)
        assert len(s1.bounced) == 10

    run_queued(scenario)


def test_after_a_crash_what_had_not_settled_comes_again_at_the_same_place(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        never: Settled = Deferred()
        s2.settled_by = lambda stanza: never if text_of(stanza) in ("1", "2") else None
        for number in range(4):
            await s1.sent(chat(str(number)))  # so each is an entry of its own
        await world.until(lambda: len(s2.delivered) == 4)
        await world.until_settled(MONTAGUE, CAPULET, left=2)
        await world.crash(s2)
        s1.send(chat("4"))
        again = await world.start(CAPULET)
        await world.until(lambda: len(again.delivered) == 3)
        assert again.delivered[:2] == s2.delivered[1:3]
        assert again.places[:2] == s2.places[1:3]
        assert text_of(again.delivered[2]) == "4"
        await world.until_empty(MONTAGUE, CAPULET)

    run_queued(scenario)


def test_a_stop_delivers_no_more_and_loses_nothing(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.send(chat("before"))
        await world.until(lambda: s2.delivered)
        await world.until_empty(MONTAGUE, CAPULET)
        s1.send(chat("queued when s1 stops"))
        await s2.router.stop()
        await s1.router.stop()
        assert len(s2.delivered) == 1
        again = await world.start(CAPULET)
        await world.until(lambda: again.delivered)
        assert [text_of(stanza) for stanza in again.delivered] == ["queued when s1 stops"]

    run_queued(scenario)


def test_a_stanza_whose_delivery_fails_does_not_hold_up_the_link(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)

        def settled_by(stanza: Stanza) -> Settled:
            if text_of(stanza) == "poison":
                raise ValueError("cannot deliver this")
            return succeed(None)

        s2.settled_by = settled_by
        for text in ("one", "poison", "two"):
            s1.send(chat(text, trace_id=f"trace of {text}"))
        await world.until(lambda: len(s2.delivered) == 3)
        await world.until_empty(MONTAGUE, CAPULET)
        dropped = [hop for hop in s2.hops if hop.event == "dropped"]
        assert [hop.trace_id for hop in dropped] == ["trace of poison"]
        assert "cannot deliver this" in dropped[0].detail

    run(scenario)


def test_a_stanza_whose_settling_fails_does_not_hold_up_the_link(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        failing: Settled = Deferred()
        s2.settled_by = lambda stanza: failing if text_of(stanza) == "poison" else None
        for text in ("one", "poison", "two"):
            s1.send(chat(text))
        await world.until(lambda: len(s2.delivered) == 3)
        assert failing is not None
        failing.errback(ValueError("cannot store this"))
        await world.until_empty(MONTAGUE, CAPULET)

    run(scenario)


def test_every_place_is_another(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2, s3 = await world.start(MONTAGUE), await world.start(CAPULET), await world.start(SHAKESPEARE)
        for number in range(2):
            await s1.sent(chat(str(number)))
            s1.send(chat(f"{number}, in one batch with the next"))
        await s3.sent(chat("0", from_="falstaff@shakespeare.lit"))
        await world.until(lambda: len(s2.delivered) == 5)
        assert len(set(s2.places)) == 5

    run(scenario)


def copies(text: str, receivers: int, **parts: str) -> Copies:
    """A message for so many resources."""
    stanza = chat(text, **parts)
    raw = stanza.raw.replace(b" to='juliet@capulet.lit'", b"")
    to = [Jid.parse(f"juliet@capulet.lit/{number}") for number in range(receivers)]
    return Copies(msgspec.structs.replace(stanza, to=None, raw=raw), to)


def test_what_is_for_many_reaches_each_in_its_order(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        sent = [chat("before"), copies("all", 100), chat("after"), copies("all", 2)]
        for item in sent:
            s1.send(item)
        await world.until(lambda: len(s2.delivered) == 104)
        expected = [stanza for item in sent for stanza in each_of(item)]
        assert [(stanza.to, text_of(stanza), stanza.raw) for stanza in s2.delivered] == [
            (stanza.to, text_of(stanza), stanza.raw) for stanza in expected
        ]

    run(scenario)


def test_what_is_for_many_settles_with_its_last_copy(run_queued: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        waiting: Deferred[None] = Deferred()
        s2.settled_by = lambda stanza: waiting if stanza.to == last.receivers[-1] else None
        last = copies("all", 3)
        s1.send(last)
        await world.until(lambda: len(s2.delivered) == 3)
        await world.until_settled(MONTAGUE, CAPULET, 1)
        waiting.callback(None)
        await world.until_empty(MONTAGUE, CAPULET)

    run_queued(scenario)


def test_what_is_for_too_many_for_one_entry_reaches_all(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.send(copies("x" * 20_000, 100))
        await world.until(lambda: len(s2.delivered) == 100)
        assert [stanza.to and stanza.to.resourcepart for stanza in s2.delivered] == [*map(str, range(100))]
        assert s1.bounced == []

    run(scenario)


def test_what_is_for_many_returns_once_for_each(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1 = await world.start(MONTAGUE)
        nobody = msgspec.structs.replace(
            copies("all", 2), receivers=[Jid.parse(f"hamlet@denmark.example/{number}") for number in range(2)]
        )
        s1.send(nobody)
        await world.until(lambda: len(s1.bounced) == 2)
        assert [stanza.to for stanza, _ in s1.bounced] == nobody.receivers

    run(scenario)


def test_a_fault_has_each_copy_for_itself(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        await world.set_faults(MONTAGUE, CAPULET, duplicate="100%")
        s1.send(copies("all", 2))
        await world.until(lambda: len(s2.delivered) == 4)
        heard = [stanza.to.resourcepart for stanza in s2.delivered if stanza.to]
        assert sorted(heard) == ["0", "0", "1", "1"]

    run(scenario)


def test_the_hops_of_each_copy_are_recorded(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.send(copies("all", 2, trace_id="t1"))
        await world.until(lambda: len(s2.delivered) == 2)
        for node, event in ((s1, "enqueued"), (s2, "dequeued")):
            assert [(hop.trace_id, hop.event, hop.to) for hop in node.hops] == [
                ("t1", event, "juliet@capulet.lit/0"), ("t1", event, "juliet@capulet.lit/1"),
            ]  # fmt: skip

    run(scenario)


def test_hops_of_the_queue_are_recorded_for_stanzas_that_are_followed(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.send(chat("followed", trace_id="t1"))
        s1.send(chat("not followed"))
        await world.until(lambda: len(s2.delivered) == 2)
        assert [(hop.trace_id, hop.node, hop.event) for hop in s1.hops] == [("t1", "router", "enqueued")]
        assert [(hop.trace_id, hop.node, hop.event) for hop in s2.hops] == [("t1", "router", "dequeued")]

    run(scenario)


def speaking_as(from_: Jid) -> Stanza:
    """What a server that is not ours could write: the parts of an address that reads as another."""
    raw = opening("message", from_) + b" to='juliet@capulet.lit' type='chat'><body>x</body></message>"
    return msgspec.structs.replace(chat("x", raw=raw), from_=from_)


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        (chat("x", from_="hamlet@shakespeare.lit/castle"), "from is not of the link's domain"),
        (chat("x", from_="romeo@evilmontague.lit/pda"), "from is not of the link's domain"),
        (chat("x", to="hamlet@shakespeare.lit"), "to is not of this domain"),
        (chat("x", raw=chat("x", from_="hamlet@shakespeare.lit").raw), "its bytes do not begin with its from"),
        (chat("x", raw=chat("x").raw + chat("y", from_="hamlet@shakespeare.lit").raw), "its bytes are not one element"),
        (chat("x", raw=chat("x").raw.removesuffix(b">")), "its bytes are not one element"),
        (chat("x", raw=chat("<!-- x -->").raw), "its bytes are not one element"),
        (chat("x", raw=chat("<?x y?>").raw), "its bytes are not one element"),
        (chat("x", raw=chat("<x:y/>").raw), "its bytes are not one element"),
        (chat("x", raw=chat("<y xmlns='u}v'/>").raw), "its bytes are not one element"),
        (chat("x", raw=b"<!DOCTYPE message>" + chat("x").raw), "its bytes do not begin with its from"),
        (speaking_as(Jid("hamlet@shakespeare.lit/", "montague.lit")), "from is not an address"),
        (speaking_as(Jid("hamlet", "shakespeare.lit/.montague.lit")), "from is not of the link's domain"),
        (speaking_as(Jid("", "hamlet@shakespeare.lit/.montague.lit")), "from is not of the link's domain"),
        (speaking_as(Jid("ro meo", "montague.lit")), "from is not an address"),
    ],
    ids=[
        "other domain",
        "longer name",
        "not ours",
        "bytes of another",
        "two in one",
        "half",
        "comment",
        "instruction",
        "unbound prefix",
        "namespace with a brace",
        "doctype",
        "domain in localpart",
        "domain before domain",
        "account in domain",
        "no localpart",
    ],
)
def test_who_speaks_for_another_is_dropped(run_queued: Run, forged: Stanza, reason: str) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.router.link(CAPULET).send(msgspec.structs.replace(forged, trace_id="t"))
        s1.send(chat("honest"))
        await world.until(lambda: s2.delivered)
        await world.until_empty(MONTAGUE, CAPULET)
        assert [text_of(stanza) for stanza in s2.delivered] == ["honest"]
        assert [(hop.event, hop.detail.partition(":")[0]) for hop in s2.hops] == [("dropped", reason)]
        assert s2.hops[0].reason in ("forged", "misrouted", "malformed")

    run_queued(scenario)


def test_components_of_both_domains_may_speak_and_be_spoken_to(run: Run) -> None:
    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.router.link(CAPULET).send(chat("hi", from_="123@sms.montague.lit", to="all@rooms.capulet.lit"))
        await world.until(lambda: s2.delivered)

    run(scenario)


@pytest.mark.parametrize(
    ("from_", "to", "reason"),
    [
        ("romeo@chat.montague.lit/pda", "juliet@capulet.lit", "from is not of the link's domain"),
        ("romeo@montague.lit/pda", "juliet@chat.capulet.lit", "to is not of this domain"),
    ],
)
def test_a_domain_speaks_for_none_below_it_that_is_not_its_component(
    run_queued: Run, from_: str, to: str, reason: str
) -> None:
    """It may be the domain of another server."""

    async def scenario(world: World) -> None:
        s1, s2 = await world.start(MONTAGUE), await world.start(CAPULET)
        s1.router.link(CAPULET).send(chat("forged", from_=from_, to=to, trace_id="t"))
        s1.send(chat("honest"))
        await world.until(lambda: s2.delivered)
        assert [text_of(stanza) for stanza in s2.delivered] == ["honest"]
        assert [(hop.event, hop.detail) for hop in s2.hops] == [("dropped", reason)]
        assert s2.hops[0].reason == ("forged" if "from" in reason else "misrouted")

    run_queued(scenario)
