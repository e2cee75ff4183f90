from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from loadtests.bag import Bag

STEPS = st.lists(st.tuples(st.booleans(), st.text(alphabet="abc", min_size=1, max_size=2)))


@given(STEPS)
def test_it_has_what_was_added_and_not_removed_since(steps: list[tuple[bool, str]]) -> None:
    bag, model = Bag[str](), set[str]()
    for is_added, one in steps:
        (bag.add if is_added else bag.discard)(one)
        (model.add if is_added else model.discard)(one)
        assert len(bag) == len(model)
    rng = Random(1)
    for but in ("a", "none of them"):
        chosen = {bag.choose(rng, but) for _ in range(200)}
        assert chosen == (model - {but} or {None})


def test_each_is_as_likely_as_the_others() -> None:
    bag, rng = Bag[str](), Random(1)
    for one in "abcde":
        bag.add(one)
    found = Counter(bag.choose(rng, "c") for _ in range(4_000))
    assert set(found) == set("abde")
    assert all(abs(count - 1_000) < 120 for count in found.values())  # four standard deviations; the seed is fixed
