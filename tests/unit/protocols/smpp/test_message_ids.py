"""Ids that a receipt spells in another way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.protocols.smpp.message_ids import MessageIds


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("1A2B3C", "1a2b3c"),
        ("001A2B3C", "1A2B3C"),
        ("1a2b3c", "1715004"),
        ("1715004", "1A2B3C"),
        ("0000000042", "42"),
        ("42", "0000000042"),
        ("5F3-xyz", "5f3-XYZ"),
    ],
)
def test_another_spelling(given: str, told: str) -> None:
    ids: MessageIds[int] = MessageIds()
    ids.put(given, 1)
    ids.put("fffff0", 2)
    assert ids.match(told) == given


def test_as_written_counts_more_than_by_value() -> None:
    ids: MessageIds[int] = MessageIds()
    ids.put("10", 1)
    ids.put("16", 2)
    ids.put("A", 3)
    assert [ids.match(id) for id in ("10", "16", "A")] == ["10", "16", "A"]


def test_what_could_be_two_is_none() -> None:
    ids: MessageIds[int] = MessageIds()
    ids.put("10", 1)
    ids.put("16", 2)
    assert ids.match("010") is None  # ten, or sixteen
    ids.pop("16")
    assert ids.match("010") == "10"


@given(st.lists(st.tuples(st.text("0123456789abcdefABCDEFxyz-", max_size=6), st.booleans())))
def test_what_is_forgotten_leaves_nothing(steps: list[tuple[str, bool]]) -> None:
    ids: MessageIds[int] = MessageIds()
    for id, is_put in steps:
        if is_put:
            ids.put(id, 1)
        else:
            ids.pop(id)
    while len(ids):
        ids.pop_oldest()
    assert ids._by_value == {}
