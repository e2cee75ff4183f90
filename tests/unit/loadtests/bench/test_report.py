"""The table of a benchmark says what was measured, and whether a target is met."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.bench import report
from loadtests.bench.report import Target

OURS = {"session_kib": [10.0], "C1-S1-C2 plain saturated per_s": [60_000.0, 90_000.0, 30_000.0]}
EJABBERD = {"session_kib": [40.0], "C1-S1-C2 plain saturated per_s": [30_000.0, 45_000.0, 20_000.0]}
FOUND = {"xmpplab": OURS, "ejabberd": EJABBERD}


def test_what_is_compared_was_measured_at_the_same_time() -> None:
    assert report.ratio([1.0, 20.0, 3.0], [2.0, 40.0, 3.0]) == 0.5
    assert report.ratio([1.0], []) is None
    assert report.ratio([1.0, 1.0], [2.0, -1.0]) is None  # memory that seems to have shrunk


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (Target("memory", "session_kib", 0.25, "ejabberd"), "met"),
        (Target("memory", "session_kib", 0.2, "ejabberd"), "**not met**"),
        (Target("memory", "session_kib", 10.0), "met"),
        (Target("memory", "session_kib", 9.9), "**not met**"),
        (Target("throughput", "C1-S1-C2 plain saturated per_s", 2.0, "ejabberd", at_least=True), "met"),
        (Target("throughput", "C1-S1-C2 plain saturated per_s", 2.1, "ejabberd", at_least=True), "**not met**"),
        (Target("memory", "session_kib", 0.5, "prosody"), "not known: no figure of prosody"),
    ],
)
def test_a_target_is_met_or_not_or_not_known(target: Target, verdict: str) -> None:
    assert target.verdict(FOUND) == verdict


def test_each_figure_stands_beside_the_peers_with_its_ratio() -> None:
    rows = [*report.figures(FOUND)]
    assert rows[0] == "| | xmpplab | ejabberd | ratio to ejabberd |"
    assert "| memory per idle session, KiB | 10 | 40 | 0.25 |" in rows
    assert "| C1-S1-C2 plain saturated: messages/s | 60,000 | 30,000 | 2.00 |" in rows


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- growth begin -->\nold\n<!-- growth end -->\nbehind\n")
    report.write_between(page, "growth", "new")
    assert page.read_text() == "before\n<!-- growth begin -->\n\nnew\n\n<!-- growth end -->\nbehind\n"
    with pytest.raises(ValueError, match="parts"):
        report.write_between(page, "parts", "new")
