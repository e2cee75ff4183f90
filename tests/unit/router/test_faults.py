"""Each fault by itself, then all of them on links in virtual time."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cluster.router.chain import Chain
from cluster.router.fault import Effect, Passage
from cluster.router.faults import known
from cluster.router.memory import MemoryNetwork
from cluster.router.settings import FaultSettings, merged, parse, texts
from cluster.xmpp.stanza import Stanza
from tests.ports.worlds import CAPULET, MONTAGUE, Node, chat, text_of


def effect_of(key: str, text: str) -> Effect:
    return known()[key].effect(parse({key: text})[key])


def passed(effect: Effect, count: int, *, due_s: float = 0.0, now_s: float = 0.0, seed: str = "1") -> list[Passage]:
    rng = Random(seed)
    return [after for n in range(count) for after in effect.pass_on(Passage(chat(str(n)), due_s), now_s, rng)]


def test_the_folder_is_the_registry() -> None:
    assert [*known()] == ["delay", "duplicate", "jitter", "loss", "down", "rate", "reorder"]


def test_a_delay_counts_from_when_the_stanza_was_sent() -> None:
    (passage,) = passed(effect_of("delay", "80ms"), 1, due_s=5.0, now_s=7.0)
    assert passage.due_s == 5.08


def test_jitter_adds_up_to_its_bound() -> None:
    dues = [passage.due_s for passage in passed(effect_of("jitter", "10ms"), 1_000)]
    assert min(dues) >= 0
    assert max(dues) <= 0.01
    assert max(dues) - min(dues) > 0.009


def test_loss_loses_its_share() -> None:
    assert 850 < len(passed(effect_of("loss", "10%"), 1_000)) < 950
    assert passed(effect_of("loss", "100%"), 1_000) == []


def test_duplicates_are_the_same_stanza() -> None:
    passages = passed(effect_of("duplicate", "10%"), 1_000)
    assert 1_050 < len(passages) < 1_150
    counts = Counter(text_of(passage.stanza) for passage in passages)
    assert set(counts.values()) == {1, 2}
    assert len(counts) == 1_000


def test_what_is_reordered_comes_later_and_out_of_its_turn() -> None:
    passages = passed(effect_of("reorder", "10%"), 1_000, due_s=1.0)
    held_back = [passage for passage in passages if not passage.in_order]
    assert 50 < len(held_back) < 150
    assert {passage.due_s for passage in held_back} == {1.1}
    assert {passage.due_s for passage in passages if passage.in_order} == {1.0}


def test_a_rate_carries_one_stanza_after_the_other() -> None:
    size_bytes = len(chat("0").raw)
    effect = effect_of("rate", f"{size_bytes * 10}B/s")
    assert [passage.due_s for passage in passed(effect, 3, due_s=1.0, now_s=1.0)] == pytest.approx([1.1, 1.2, 1.3])
    assert [passage.due_s for passage in passed(effect, 1, due_s=9.0, now_s=9.0)] == pytest.approx([9.1])


def test_what_waited_long_for_its_reader_still_needs_its_time() -> None:
    size_bytes = len(chat("0").raw)
    effect = effect_of("rate", f"{size_bytes * 10}B/s")
    assert [passage.due_s for passage in passed(effect, 2, due_s=1.0, now_s=60.0)] == pytest.approx([60.1, 60.2])


def test_a_partition_ends_with_the_last_of_the_windows_that_touch() -> None:
    effect = effect_of("down", "10s..20s, 20s..30s, 25s..28s, 40s..")
    until = [effect.closed_until(now_s) for now_s in (0, 9.9, 10, 19, 25, 30, 39, 40)]
    assert until == [0, 9.9, 30, 30, 30, 30, 39, math.inf]


def test_settings_are_merged_and_none_takes_one_away() -> None:
    faults = merged({}, parse({"delay": "40ms", "loss": "1%", "down": "10s..20s"}), 100)
    assert faults == {"delay": 0.04, "loss": 0.01, "down": [[110, 120]]}
    faults = merged(faults, parse({"loss": "0%", "jitter": "5ms", "down": "none"}), 200)
    assert texts(faults, 200) == {"delay": "40ms", "jitter": "5ms"}


def test_an_unknown_fault_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no fault 'lag' \(faults: delay, duplicate"):
        parse({"lag": "1s"})
    with pytest.raises(ValueError, match="delay: '1' is not allowed here; write a time such as"):
        parse({"delay": "1"})


def chain(seed: str = "1", link: str = "a b", **faults: str) -> Chain:
    return Chain(FaultSettings(seed, merged({}, parse(faults), 0)), link)


def fates(chain: Chain, count: int = 200) -> list[Any]:
    return [
        [(passage.due_s, passage.in_order) for passage in chain.fate(chat(str(n)), n / 10, n / 10)[0]]
        for n in range(count)
    ]


def test_the_same_seed_gives_the_same_fates() -> None:
    faults = {"jitter": "5ms", "loss": "10%", "duplicate": "10%", "reorder": "10%"}
    assert fates(chain(**faults)) == fates(chain(**faults))
    assert fates(chain(**faults)) != fates(chain(seed="2", **faults))
    assert fates(chain(**faults)) != fates(chain(link="b a", **faults))


def test_one_fault_more_does_not_change_what_another_does() -> None:
    lost = [not fate for fate in fates(chain(loss="10%"))]
    assert [not fate for fate in fates(chain(loss="10%", jitter="5ms", reorder="10%"))] == lost


DURATIONS = st.integers(0, 3_000).map("{}ms".format)
SHARES = st.integers(0, 60).map("{}%".format)
FAULTS = st.fixed_dictionaries(
    {},
    optional={
        "delay": DURATIONS,
        "jitter": DURATIONS,
        "loss": SHARES,
        "duplicate": SHARES,
        "reorder": SHARES,
        "rate": st.integers(50, 100_000).map("{}B/s".format),
        "down": st.tuples(st.integers(0, 20), st.integers(1, 20)).map(lambda at: f"{at[0]}s..{at[0] + at[1]}s"),
    },
)
GAPS_MS = st.lists(st.integers(0, 500), min_size=1, max_size=60)


class Run:
    """What romeo sent juliet, so many milliseconds after each other, over a link with faults; until all has ended."""

    def __init__(self, gaps_ms: list[int], faults: list[dict[str, str]], seed: str = "1") -> None:
        self.clock = Clock()
        self.clock.advance(1_000)
        self.network = MemoryNetwork(self.clock, [MONTAGUE, CAPULET])
        self.s1, self.s2 = self.start(MONTAGUE), self.start(CAPULET)
        self.sent: list[str] = []
        changes = {len(gaps_ms) * n // len(faults): each for n, each in enumerate(faults)}
        for number, gap_ms in enumerate(gaps_ms):
            if number in changes:
                values = merged({}, parse(changes[number]), self.clock.seconds())
                self.network.set_faults(MONTAGUE, CAPULET, FaultSettings(seed, values))
            self.sent.append(str(number))
            self.s1.send(chat(str(number)))
            self.let_pass(gap_ms / 1000)
        while calls := self.clock.getDelayedCalls():
            self.let_pass(max(0.0, min(call.getTime() for call in calls) - self.clock.seconds()))

    def start(self, domain: str) -> Node:
        node = Node(self.clock)
        node.router = self.network.router(domain, node.tracer)
        Deferred.fromCoroutine(node.router.start(node))
        return node

    def let_pass(self, seconds: float) -> None:
        for _ in range(4):  # what one turn leaves to the next
            self.clock.advance(0)
        self.clock.advance(seconds)

    @property
    def arrived(self) -> list[str]:
        return [text_of(stanza) for stanza in self.s2.delivered]

    @property
    def lost(self) -> list[Stanza]:
        return [hop for hop in self.s2.hops if hop.event == "lost"]


@given(GAPS_MS, st.lists(FAULTS, min_size=1, max_size=3))
def test_nothing_is_lost_but_by_loss_and_no_order_but_by_reorder(
    gaps_ms: list[int], faults: list[dict[str, str]]
) -> None:
    run = Run(gaps_ms, faults)
    assert len(set(run.sent) - set(run.arrived)) == len(run.lost) == run.network.lost[MONTAGUE, CAPULET]
    if not any("loss" in each for each in faults):
        assert run.lost == []
    if not any("duplicate" in each for each in faults):
        assert len(set(run.arrived)) == len(run.arrived)
    if not any("reorder" in each for each in faults):
        assert run.arrived == sorted(run.arrived, key=int)
    assert len({stanza.raw for stanza in run.s2.delivered}) == len(set(run.arrived))  # doubles have one stanza-id
    assert not run.network.queue(MONTAGUE, CAPULET).entries  # all is settled
    assert run.s1.bounced == []


@given(GAPS_MS, st.lists(FAULTS, min_size=1, max_size=3))
def test_the_same_seed_gives_the_same_run(gaps_ms: list[int], faults: list[dict[str, str]]) -> None:
    assert Run(gaps_ms, faults).arrived == Run(gaps_ms, faults).arrived
