"""A set with a bound."""

from __future__ import annotations

from cluster.base.recent import Recent


def test_what_was_added_first_is_forgotten_first() -> None:
    recent = Recent(2)
    for text in ("a", "b", "a", "c"):
        recent.add(text)
    assert [text in recent for text in "abc"] == [True, False, True]
    recent.discard("a")
    recent.discard("a")
    assert len(recent) == 1
    recent.clear()
    assert len(recent) == 0
