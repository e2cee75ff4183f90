"""One contract for the nodes of a domain, whatever joins them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cluster.membership.owners import inbox
from cluster.router.guard import MAX_UNSETTLED
from tests.ports.conftest import store
from tests.ports.groups import Group, InMemory, InRedis, Member, Word

Run = Callable[[Callable[[Group], Coroutine[Deferred[Any], Any, None]]], None]


@pytest.fixture(params=["memory", "redis", "cluster"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a scenario among the nodes of montague.lit."""
    if request.param == "memory":
        yield lambda scenario: InMemory().run(scenario)
        return
    thread, valkey, keys = store(request)
    yield lambda scenario: InRedis(thread, valkey, keys).run(scenario)


def test_an_account_belongs_to_who_claims_it_first_until_it_is_released(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        assert await one.nodes.claim("romeo") == "s1"
        assert await two.nodes.claim("romeo") == "s1"
        assert await two.nodes.claim("benvolio") == "s1-2"
        one.nodes.release("romeo")
        while await two.nodes.claim("romeo") != "s1-2":
            pass  # it is on its way

    run(scenario)


def test_it_is_released_when_everybody_has_who_claimed_it(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        await one.nodes.claim("romeo")
        await one.nodes.claim("romeo")
        one.nodes.release("romeo")
        assert await two.nodes.claim("romeo") == "s1"

    run(scenario)


def test_who_claims_at_the_same_time_is_told_the_same(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        claims = [node.nodes.claim("romeo") for node in (one, two, one, two)]
        assert len({await claim for claim in claims}) == 1

    run(scenario)


def test_what_one_node_tells_another_arrives_in_order(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        for number in range(300):
            one.nodes.send("s1-2", Word(str(number)))
        two.nodes.send("s1", Word("yes"))
        await group.until(lambda: len(two.words) == 300 and one.words)
        assert two.words == [("s1", str(number)) for number in range(300)]
        assert one.words == [("s1-2", "yes")]

    run(scenario)


def test_a_node_knows_whether_it_is_alone(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one = await group.join("s1")
        assert one.nodes.is_alone
        two = await group.join("s1-2")
        await group.until(lambda: not one.nodes.is_alone)
        await two.nodes.stop()
        await group.until(lambda: one.nodes.is_alone)

    run(scenario)


def test_each_link_has_one_reader(run: Run) -> None:
    async def scenario(group: Group) -> None:
        members = [await group.join(name) for name in ("s1", "s1-2", "s1-3")]
        await group.until(lambda: not any(member.nodes.is_alone for member in members))
        for number in range(30):
            link = f"domain{number}.lit"
            await group.until(lambda link=link: sum(member.nodes.share.is_ours(link) for member in members) == 1)
            reader = next(member for member in members if member.nodes.share.is_ours(link))
            assert await reader.nodes.share.take(link)
            assert reader.nodes.share.is_ours(f"{link}/s9")  # what is of one domain has one reader

    run(scenario)


def test_who_falls_silent_is_gone_and_its_accounts_are_adopted(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        await two.nodes.claim("juliet")
        await group.crash(two)
        await group.until(lambda: one.adopted == ["juliet"])
        assert one.left == ["s1-2"]
        assert one.was_alone == [False]  # there was something to take over
        assert await one.nodes.claim("juliet") == "s1"
        await group.until(lambda: one.nodes.is_alone)

    run(scenario)


def test_claims_are_answered_in_their_order(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        await two.nodes.claim("juliet")
        answered: list[str] = []

        def gone(node: str) -> None:
            """A claim that waits for the heir of the node."""
            one.nodes.claim("juliet").addCallback(lambda owner: answered.append(f"before {owner}"))

        async def adopt(localpart: str) -> None:
            """One more claim, while the earlier one still waits."""
            one.nodes.claim(localpart).addCallback(lambda owner: answered.append(f"at its adoption {owner}"))

        one.gone, one.adopt = gone, adopt
        await group.crash(two)
        await group.until(lambda: len(answered) == 2)
        assert answered == ["before s1", "at its adoption s1"]

    run(scenario)


def test_a_claim_waits_while_sessions_are_restored(run: Run) -> None:
    """Otherwise what it is for would not find them. Found by a simulation with a slow disk: somebody was shown who had
    left."""

    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        await two.nodes.claim("juliet")
        done: list[str] = []

        async def restore(localpart: str) -> None:
            one.nodes.claim(localpart).addCallback(lambda owner: done.append(f"claimed by {owner}"))
            await deferLater(group.clock, 0.05)
            done.append("restored")

        async def adopt(localpart: str) -> None:
            done.append("adopted")

        one.restore, one.adopt = restore, adopt  # type: ignore[method-assign]
        await group.crash(two)
        await group.until(lambda: len(done) == 3)
        assert done == ["restored", "adopted", "claimed by s1"]

    run(scenario)


def test_what_has_waited_for_an_adoption_comes_before_what_comes_after_it(run: Run) -> None:
    """An adopted account is online: what comes in a later turn of the reactor finds it there, and claims nothing."""

    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        await two.nodes.claim("juliet")
        came: list[str] = []

        def gone(node: str) -> None:
            one.nodes.claim("juliet").addCallback(lambda owner: came.append(f"what has waited, at {owner}"))

        async def adopt(localpart: str) -> None:
            group.clock.callLater(0, came.append, "what comes next")

        one.gone, one.adopt = gone, adopt  # type: ignore[method-assign]
        await group.crash(two)
        await group.until(lambda: len(came) == 2)
        assert came == ["what has waited, at s1", "what comes next"]

    run(scenario)


def test_what_waits_for_a_node_that_is_gone_comes_before_what_is_new(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        await two.nodes.claim("juliet")
        await group.crash(two)
        for number in range(5):
            one.nodes.send("s1-2", Word(str(number), "juliet"))
        await group.until(lambda: one.left == ["s1-2"])
        assert await one.nodes.claim("juliet") == "s1"
        assert one.words == [("s1", str(number)) for number in range(5)]
        assert one.claimed == [("juliet", "s1")] * 5
        assert one.restored == [("juliet", 0)]  # so that what waits for the node finds the sessions of its accounts
        assert one.adopted == ["juliet"]

    run(scenario)


def test_who_comes_back_finds_its_accounts_and_what_was_sent_meanwhile(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        await two.nodes.claim("juliet")
        await group.crash(two)
        one.nodes.send("s1-2", Word("are you there?"))
        again = await group.join("s1-2")
        await group.until(lambda: again.words and again.adopted)
        assert again.words == [("s1", "are you there?")]
        assert again.adopted == ["juliet"]
        await group.until(lambda: one.left == ["s1-2"])
        assert one.adopted == []

    run(scenario)


def test_what_is_for_a_node_itself_waits_for_its_next_process(run: Run) -> None:
    """What the last one had not settled too."""

    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2", holds=("first",))
        await two.nodes.claim("juliet")
        one.nodes.send_home("s1-2", Word("first"))
        await group.until(lambda: two.words)
        await group.crash(two)
        one.nodes.send_home("s1-2", Word("second"))
        await group.until(lambda: one.adopted == ["juliet"])
        assert one.words == []
        again = await group.join("s1-2")
        await group.until(lambda: len(again.words) == 2)
        assert again.words == [("s1", "first"), ("s1", "second")]

    run(scenario)


def test_what_had_not_settled_is_read_by_an_heir(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2", holds=("first",))
        one.nodes.send("s1-2", Word("first"))
        await group.until(lambda: two.words)
        await deferLater(group.clock, 0.1)
        await group.crash(two)
        await group.until(lambda: one.words == [("s1", "first")])

    run(scenario)


def test_who_leaves_is_missed_at_once(run: Run) -> None:
    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        await two.nodes.claim("juliet")
        await two.nodes.stop()
        await group.until(lambda: one.adopted == ["juliet"])

    run(scenario)


def test_what_a_node_is_sent_that_is_back_does_not_hold_up_its_heir(run: Run, request: pytest.FixtureRequest) -> None:
    if "memory" in request.node.name:
        pytest.skip("it reads an inbox at once")

    async def scenario(group: Group) -> None:
        one, two = await group.join("s1", holds=("first", "second")), await group.join("s1-2")
        await two.nodes.claim("juliet")
        await group.crash(two)
        one.nodes.send("s1-2", Word("first"))
        await group.until(lambda: one.words)  # it reads what two has left
        for number in range(20):  # and has looked what there is
            await one.nodes.claim(f"benvolio{number}")
        one.nodes.send("s1-2", Word("second"))
        joining = Deferred.fromCoroutine(group.join("s1-2", holds=("second",)))
        joining.addErrback(lambda failure: None)  # it ends while it waits for that
        one.held[0].callback(None)
        await group.until(lambda: one.adopted == ["juliet"])

    run(scenario)


def test_what_a_node_that_is_gone_has_told_another_comes_before_what_a_third_one_tells_it(
    run: Run, request: pytest.FixtureRequest
) -> None:
    if "memory" in request.node.name:
        pytest.skip("it reads an inbox at once")
    numbers = [str(number) for number in range(MAX_UNSETTLED + 20)]

    async def scenario(group: Group) -> None:
        one, two, three = [await group.join(name, holds=numbers) for name in ("s1", "s1-2", "s1-3")]
        for number in numbers:
            await one.nodes.send("s1-2", Word(number))
        await group.until(lambda: len(two.words) >= MAX_UNSETTLED)
        await group.crash(one)
        await group.until(lambda: three.left == ["s1"])
        await three.nodes.send("s1-2", Word("new"))
        for number in range(20):
            await two.nodes.claim(f"benvolio{number}")
        assert len(two.words) < len(numbers)

        def settle() -> bool:
            while two.held:
                two.held.pop().callback(None)
            return len(two.words) > len(numbers)

        await group.until(settle)
        assert [text for _, text in two.words] == [*numbers, "new"]

    run(scenario)


def test_who_becomes_the_reader_of_a_link_begins_behind_what_the_last_one_told_others_of_it(
    run: Run, request: pytest.FixtureRequest
) -> None:
    if "memory" in request.node.name:
        pytest.skip("it reads an inbox at once")

    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2", holds=("of the link",))
        await group.until(lambda: not one.nodes.is_alone)
        assert await one.nodes.share.take("capulet.lit")
        await one.nodes.send("s1-2", Word("of the link"))
        one.nodes.share.give_back("capulet.lit")
        await group.until(lambda: two.held)
        taken: list[bool] = []
        taking = Deferred.fromCoroutine(two.nodes.share.take("capulet.lit"))
        taking.addCallback(taken.append)
        for number in range(20):
            await two.nodes.claim(f"benvolio{number}")
        assert taken == []
        two.held.pop().callback(None)
        await group.until(lambda: taken == [True])

    run(scenario)


def test_who_is_back_before_its_heir_has_begun_is_its_own_heir(run: Run, request: pytest.FixtureRequest) -> None:
    if "memory" in request.node.name:
        pytest.skip("an heir begins at once")

    async def scenario(group: Group) -> None:
        one, two = await group.join("s1"), await group.join("s1-2")
        await two.nodes.claim("juliet")
        hold, back = one.nodes.share.hold, list[Member]()

        async def hold_late(link: str) -> bool:
            """Meanwhile the node comes back, and the others hear of it."""
            held = await hold(link)
            if link == inbox("s1-2") and not joining:
                joining.append(Deferred.fromCoroutine(group.join("s1-2")).addCallback(back.append))
                await group.until(lambda: not all(one.nodes.share.is_ours(f"domain{n}.lit") for n in range(30)))
            return held

        joining: list[Deferred[None]] = []
        one.nodes.share.hold = hold_late
        await group.crash(two)
        await group.until(lambda: back)
        [again] = back
        await group.until(lambda: again.adopted == ["juliet"])
        assert one.adopted == []

    run(scenario)


def test_what_was_left_to_a_node_is_read_by_its_heir_to_the_end_though_it_is_back(
    run: Run, request: pytest.FixtureRequest
) -> None:
    if "memory" in request.node.name:
        pytest.skip("it reads an inbox at once")

    async def scenario(group: Group) -> None:
        one, two = await group.join("s1", holds=("first",)), await group.join("s1-2")
        await two.nodes.claim("juliet")
        await group.crash(two)
        for word in (Word("first"), Word("second", "juliet")):
            await one.nodes.send("s1-2", word)
        await group.until(lambda: one.held)
        back: list[Member] = []
        Deferred.fromCoroutine(group.join("s1-2")).addCallback(back.append)
        await group.until(lambda: not all(one.nodes.share.is_ours(f"domain{n}.lit") for n in range(30)))
        for number in range(1_000):  # it asks for its inbox again and again
            await one.nodes.claim(f"benvolio{number}")
        assert (one.adopted, back) == ([], [])
        one.held.pop().callback(None)
        await group.until(lambda: one.adopted == ["juliet"] and back)
        assert [text for _, text in one.words] == ["first", "second"]
        assert back[0].words == []

    run(scenario)


def test_an_heir_that_dies_before_it_is_done_has_an_heir_itself(run: Run, request: pytest.FixtureRequest) -> None:
    if "memory" in request.node.name:
        pytest.skip("it reads an inbox at once")

    async def scenario(group: Group) -> None:
        gone = await group.join("s1")
        others = [await group.join(name, holds=("first", "second")) for name in ("s1-2", "s1-3")]
        await gone.nodes.claim("juliet")
        await group.crash(gone)
        for word in (Word("first"), Word("second", "juliet")):
            await others[0].nodes.send("s1", word)
        await group.until(lambda: others[0].held or others[1].held)
        [heir] = [each for each in others if each.held]
        [last] = [each for each in others if not each.held]
        assert heir.restored == [("juliet", 0)]
        last.holds = ()
        await group.crash(heir)
        await group.until(lambda: last.adopted == ["juliet"])
        assert [text for _, text in last.words] == ["first", "second"]
        assert last.claimed == [("juliet", last.name)]
        assert last.restored == [("juliet", 0)]

    run(scenario)
