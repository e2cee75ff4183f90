"""The targets of `make fuzz`, with their seeds, and with random pieces of these put together."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

QUICK = ("parser", "stream", "address", "dribble")


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target: str) -> None:
    for seed in SEEDS[target] if target == "dribble" else SEEDS[target][-60:]:
        TARGETS[target](seed)


@st.composite
def pieces(draw: st.DrawFn, target: str) -> bytes:
    """Beginnings and ends of seeds, with a few bytes of no meaning between them."""
    seed = st.sampled_from(SEEDS[target])
    begin, end = draw(seed), draw(seed)
    return (
        begin[: draw(st.integers(0, len(begin)))] + draw(st.binary(max_size=3)) + end[draw(st.integers(0, len(end))) :]
    )


@pytest.mark.parametrize("target", QUICK)
def test_pieces_of_seeds(target: str) -> None:
    given(pieces(target))(TARGETS[target])()


@settings(max_examples=15)
@given(pieces("server"))
def test_pieces_of_what_clients_say(data: bytes) -> None:
    TARGETS["server"](data)


@settings(max_examples=15)
@given(pieces("rooms"))
def test_pieces_of_what_owners_say_to_their_rooms(data: bytes) -> None:
    TARGETS["rooms"](data)
