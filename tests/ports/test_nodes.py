"""One contract for the nodes of a domain, whatever joins them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from cluster.membership.owners import inbox
from cluster.router.guard import MAX_UNSETTLED
from tests.ports.companies import Company, InMemory, InRedis, Member, Word
from tests.ports.conftest import store

Run = Callable[[Callable[[Company], Coroutine[Deferred[Any], Any, None]]], None]


@pytest.fixture(params=["memory", "redis", "cluster"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a scenario among the nodes of montague.lit."""
    if request.param == "memory":
        yield lambda scenario: InMemory().run(scenario)
        return
    thread, valkey, keys = store(request)
    yield lambda scenario: InRedis(thread, valkey, keys).run(scenario)


def test_an_account_belongs_to_who_claims_it_first_until_it_is_released(run: Run) -> None:
    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2")
        assert await one.nodes.claim("romeo") == "s1"
        assert await two.nodes.claim("romeo") == "s1"
        assert await two.nodes.claim("benvolio") == "s1-2"
        one.nodes.release("romeo")
        while await two.nodes.claim("romeo") != "s1-2":
            pass  # it is on its way

    run(scenario)


def test_it_is_released_when_everybody_has_who_claimed_it(run: Run) -> None:
    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2")
        await one.nodes.claim("romeo")
        await one.nodes.claim("romeo")
        one.nodes.release("romeo")
        assert await two.nodes.claim("romeo") == "s1"

    run(scenario)


def test_who_claims_at_the_same_time_is_told_the_same(run: Run) -> None:
    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2")
        claims = [node.nodes.claim("romeo") for node in (one, two, one, two)]
        assert len({await claim for claim in claims}) == 1

    run(scenario)


def test_what_one_node_tells_another_arrives_in_order(run: Run) -> None:
    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2")
        for number in range(300):
            one.nodes.send("s1-2", Word(str(number)))
        two.nodes.send("s1", Word("yes"))
        await company.until(lambda: len(two.words) == 300 and one.words)
        assert two.words == [("s1", str(number)) for number in range(300)]
        assert one.words == [("s1-2", "yes")]

    run(scenario)


def test_a_node_knows_whether_it_is_alone(run: Run) -> None:
    async def scenario(company: Company) -> None:
        one = await company.join("s1")
        assert one.nodes.is_alone
        two = await company.join("s1-2")
        await company.until(lambda: not one.nodes.is_alone)
        await two.nodes.stop()
        await company.until(lambda: one.nodes.is_alone)

    run(scenario)


def test_each_link_has_one_reader(run: Run) -> None:
    async def scenario(company: Company) -> None:
        members = [await company.join(name) for name in ("s1", "s1-2", "s1-3")]
        await company.until(lambda: not any(member.nodes.is_alone for member in members))
        for number in range(30):
            link = f"domain{number}.lit"
            await company.until(lambda link=link: sum(member.nodes.share.is_ours(link) for member in members) == 1)
            reader = next(member for member in members if member.nodes.share.is_ours(link))
            assert await reader.nodes.share.take(link)
            assert reader.nodes.share.is_ours(f"{link}/s9")  # what is of one domain has one reader

    run(scenario)


def test_who_falls_silent_is_gone_and_its_accounts_are_adopted(run: Run) -> None:
    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2")
        await two.nodes.claim("juliet")
        await company.crash(two)
        await company.until(lambda: one.adopted == ["juliet"])
        assert one.left == ["s1-2"]
        assert one.was_alone == [False]  # there was something to take over
        assert await one.nodes.claim("juliet") == "s1"
        await company.until(lambda: one.nodes.is_alone)

    run(scenario)


def test_what_waits_for_a_node_that_is_gone_comes_before_what_is_new(run: Run) -> None:
    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2")
        await two.nodes.claim("juliet")
        await company.crash(two)
        for number in range(5):
            one.nodes.send("s1-2", Word(str(number), "juliet"))
        await company.until(lambda: one.left == ["s1-2"])
        assert await one.nodes.claim("juliet") == "s1"
        assert one.words == [("s1", str(number)) for number in range(5)]
        assert one.claimed == [("juliet", "s1")] * 5
        assert one.restored == [("juliet", 0)]  # so that what waits for the node finds the sessions of its accounts
        assert one.adopted == ["juliet"]

    run(scenario)


def test_who_comes_back_finds_its_accounts_and_what_was_sent_meanwhile(run: Run) -> None:
    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2")
        await two.nodes.claim("juliet")
        await company.crash(two)
        one.nodes.send("s1-2", Word("are you there?"))
        again = await company.join("s1-2")
        await company.until(lambda: again.words and again.adopted)
        assert again.words == [("s1", "are you there?")]
        assert again.adopted == ["juliet"]
        await company.until(lambda: one.left == ["s1-2"])
        assert one.adopted == []

    run(scenario)


def test_who_leaves_is_missed_at_once(run: Run) -> None:
    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2")
        await two.nodes.claim("juliet")
        await two.nodes.stop()
        await company.until(lambda: one.adopted == ["juliet"])

    run(scenario)


def test_what_a_node_is_sent_that_is_back_does_not_hold_up_its_heir(run: Run, request: pytest.FixtureRequest) -> None:
    if "memory" in request.node.name:
        pytest.skip("it reads an inbox at once")

    async def scenario(company: Company) -> None:
        one, two = await company.join("s1", holds=("first", "second")), await company.join("s1-2")
        await two.nodes.claim("juliet")
        await company.crash(two)
        one.nodes.send("s1-2", Word("first"))
        await company.until(lambda: one.words)  # it reads what two has left
        for number in range(20):  # and has looked what there is
            await one.nodes.claim(f"benvolio{number}")
        one.nodes.send("s1-2", Word("second"))
        joining = Deferred.fromCoroutine(company.join("s1-2", holds=("second",)))
        joining.addErrback(lambda failure: None)  # it ends while it waits for that
        one.held[0].callback(None)
        await company.until(lambda: one.adopted == ["juliet"])

    run(scenario)


def test_what_a_node_that_is_gone_has_told_another_comes_before_what_a_third_one_tells_it(
    run: Run, request: pytest.FixtureRequest
) -> None:
    if "memory" in request.node.name:
        pytest.skip("it reads an inbox at once")
    numbers = [str(number) for number in range(MAX_UNSETTLED + 20)]

    async def scenario(company: Company) -> None:
        one, two, three = [await company.join(name, holds=numbers) for name in ("s1", "s1-2", "s1-3")]
        for number in numbers:
            await one.nodes.send("s1-2", Word(number))  # type: ignore[misc]
        await company.until(lambda: len(two.words) >= MAX_UNSETTLED)
        await company.crash(one)
        await company.until(lambda: three.left == ["s1"])
        await three.nodes.send("s1-2", Word("new"))  # type: ignore[misc]
        for number in range(20):
            await two.nodes.claim(f"benvolio{number}")
        assert len(two.words) < len(numbers)

        def settle() -> bool:
            while two.held:
                two.held.pop().callback(None)
            return len(two.words) > len(numbers)

        await company.until(settle)
        assert [text for _, text in two.words] == [*numbers, "new"]

    run(scenario)


def test_who_becomes_the_reader_of_a_link_begins_behind_what_the_last_one_told_others_of_it(
    run: Run, request: pytest.FixtureRequest
) -> None:
    if "memory" in request.node.name:
        pytest.skip("it reads an inbox at once")

    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2", holds=("of the link",))
        await company.until(lambda: not one.nodes.is_alone)
        assert await one.nodes.share.take("capulet.lit")
        await one.nodes.send("s1-2", Word("of the link"))  # type: ignore[misc]
        one.nodes.share.give_back("capulet.lit")
        await company.until(lambda: two.held)
        taken: list[bool] = []
        taking = Deferred.fromCoroutine(two.nodes.share.take("capulet.lit"))
        taking.addCallback(taken.append)
        for number in range(20):
            await two.nodes.claim(f"benvolio{number}")
        assert taken == []
        two.held.pop().callback(None)
        await company.until(lambda: taken == [True])

    run(scenario)


def test_who_is_back_before_its_heir_has_begun_is_its_own_heir(run: Run, request: pytest.FixtureRequest) -> None:
    if "memory" in request.node.name:
        pytest.skip("an heir begins at once")

    async def scenario(company: Company) -> None:
        one, two = await company.join("s1"), await company.join("s1-2")
        await two.nodes.claim("juliet")
        hold, back = one.nodes.share.hold, list[Member]()

        async def hold_late(link: str) -> bool:
            """Meanwhile the node comes back, and the others hear of it."""
            held = await hold(link)
            if link == inbox("s1-2") and not joining:
                joining.append(Deferred.fromCoroutine(company.join("s1-2")).addCallback(back.append))
                await company.until(lambda: not all(one.nodes.share.is_ours(f"domain{n}.lit") for n in range(30)))
            return held

        joining: list[Deferred[None]] = []
        one.nodes.share.hold = hold_late
        await company.crash(two)
        await company.until(lambda: back)
        [again] = back
        await company.until(lambda: again.adopted == ["juliet"])
        assert one.adopted == []

    run(scenario)


def test_what_was_left_to_a_node_is_read_by_its_heir_to_the_end_though_it_is_back(
    run: Run, request: pytest.FixtureRequest
) -> None:
    if "memory" in request.node.name:
        pytest.skip("it reads an inbox at once")

    async def scenario(company: Company) -> None:
        one, two = await company.join("s1", holds=("first",)), await company.join("s1-2")
        await two.nodes.claim("juliet")
        await company.crash(two)
        for word in (Word("first"), Word("second", "juliet")):
            await one.nodes.send("s1-2", word)  # type: ignore[misc]
        await company.until(lambda: one.held)
        back: list[Member] = []
        Deferred.fromCoroutine(company.join("s1-2")).addCallback(back.append)
        await company.until(lambda: not all(one.nodes.share.is_ours(f"domain{n}.lit") for n in range(30)))
        for number in range(1_000):  # it asks for its inbox again and again
            await one.nodes.claim(f"benvolio{number}")
        assert (one.adopted, back) == ([], [])
        one.held.pop().callback(None)
        await company.until(lambda: one.adopted == ["juliet"] and back)
        assert [text for _, text in one.words] == ["first", "second"]
        assert back[0].words == []

    run(scenario)
