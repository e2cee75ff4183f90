import math
import re

import pytest

from cluster.base.units import DURATION, RATE, SHARE, WINDOWS, Unit


@pytest.mark.parametrize(
    ("quantity", "text", "value"),
    [
        (DURATION, "40ms", 0.04),
        (DURATION, "1.5 s", 1.5),
        (DURATION, "2m", 120),
        (DURATION, "0ms", None),
        (DURATION, "none", None),
        (SHARE, "1%", 0.01),
        (SHARE, "0.5%", 0.005),
        (SHARE, "100%", 1),
        (SHARE, "0%", None),
        (RATE, "64kB/s", 64_000),
        (RATE, "10Mbit/s", 1_250_000),
        (RATE, "none", None),
    ],
)
def test_a_number_has_a_unit(quantity: Unit, text: str, value: float | None) -> None:
    assert quantity.parse(text) == (value if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("always", [[0, None]]),
        ("10s..20s", [[10, 20]]),
        ("10s..", [[10, None]]),
        ("..5s", [[0, 5]]),
        ("1m..2m, 500ms..1s", [[0.5, 1], [60, 120]]),
        ("none", None),
    ],
)
def test_windows_have_a_start_an_end_or_both(text: str, windows: list[list[float | None]] | None) -> None:
    assert WINDOWS.parse(text) == windows


@pytest.mark.parametrize(
    ("quantity", "text", "remedy"),
    [
        (DURATION, "40", "'40' is not allowed here; write a time such as 40ms, 1.5s, 2m or 1h"),
        (DURATION, "-1s", "write a time such as"),
        (DURATION, "1e999s", "write a time such as"),
        (SHARE, "101%", "write a share from 0% to 100%, such as 1% or 0.5%"),
        (SHARE, "0.01", "write a share"),
        (RATE, "0B/s", "write a rate from 1B/s to 1000000MB/s, such as 64kB/s"),
        (RATE, "0.9B/s", "write a rate from 1B/s"),
        (RATE, "9" * 400 + "B/s", "write a rate from 1B/s"),
        (DURATION, "9" * 400 + "s", "write a time such as"),
        (DURATION, "10081m", "write a time such as"),
        (RATE, "64k", "write a rate from 1B/s to 1000000MB/s, such as 64kB/s"),
        (WINDOWS, "10s", "'10s' is not allowed here; write always, none, or times such as 10s..20s, 10s.. or ..20s"),
        (WINDOWS, "20s..10s", "'20s..10s' ends before it begins"),
        (WINDOWS, "10s..10s", "ends before it begins"),
        (WINDOWS, "5s..0s", "ends before it begins"),
        (WINDOWS, "none..5s", "is not allowed here"),
        (WINDOWS, "1s..2s, always", "'always' is not allowed here"),
        (WINDOWS, "", "is not allowed here"),
    ],
)
def test_what_does_not_fit_is_answered_with_what_does(quantity: Unit, text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)):
        quantity.parse(text)


@pytest.mark.parametrize("text", ["40ms", "1.5s", "2m", "90.25s"])
def test_a_duration_is_shown_as_it_could_be_written(text: str) -> None:
    value = DURATION.parse(text)
    assert value is not None
    assert math.isclose(DURATION.parse(DURATION.text(value, 0)) or 0, value)


@pytest.mark.parametrize(
    ("quantity", "text"),
    [(DURATION, "80ms"), (SHARE, "0.5%"), (SHARE, "100%"), (RATE, "64kB/s"), (RATE, "1MB/s"), (RATE, "5B/s")],
)
def test_a_usual_value_is_shown_as_it_was_written(quantity: Unit, text: str) -> None:
    assert quantity.text(quantity.parse(text), 0) == text


def test_windows_are_shown_counted_from_now() -> None:
    windows = WINDOWS.anchored(WINDOWS.parse("10s..20s, 60s.."), 1_000)
    assert windows == [[1_010, 1_020], [1_060, None]]
    assert WINDOWS.text(windows, 1_000) == "10s..20s, 1m.."
    assert WINDOWS.text(windows, 1_015) == "..5s, 45s.."
    assert WINDOWS.text(windows, 1_059) == "1s.."
    assert WINDOWS.text(windows, 1_061) == "always"
    assert WINDOWS.text([[1, 2]], 3) == "none"
