"""Ours beside the peers: each in turn, and that several times over, so that what disturbs one disturbs all."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from loadtests.bench import report
from loadtests.bench.ejabberd import EJABBERD
from loadtests.bench.measure import Extent, Figures, measure
from loadtests.bench.ours import OURS
from loadtests.bench.pair import Contender
from loadtests.bench.prosody import PROSODY

CONTENDERS = (OURS, EJABBERD, PROSODY)
NO_MORE_AFTER_S = 780.0
"""No further round is begun that would end later; the first is always done."""


def compare(extent: Extent, rounds: int, tell: Callable[[str], None]) -> str:
    """Measure, keep the figures, and give the table."""
    present = [each for each in CONTENDERS if not each.missing]
    for each in CONTENDERS:
        if each.missing:
            tell(f"{each.name} is skipped: {each.missing}")
    runs = _rounds(present, extent, rounds, tell)
    found = report.medians(runs)
    kept = report.save("compare", {"machine": report.machine(), "medians": found, "runs": runs})
    tell(f"all figures: {kept}")
    return report.table(found)


def _rounds(
    contenders: Sequence[Contender], extent: Extent, rounds: int, tell: Callable[[str], None]
) -> dict[str, list[Figures]]:
    runs: dict[str, list[Figures]] = {each.name: [] for each in contenders}
    begun_s = time.monotonic()
    for done in range(rounds):
        passed_s = time.monotonic() - begun_s
        if done and passed_s * (done + 1) / done > NO_MORE_AFTER_S:
            tell(f"no time for more than {done} rounds: {passed_s:.0f} s have passed")
            break
        for each in contenders:
            tell(f"round {done + 1} of {rounds}: {each.name}")
            with tempfile.TemporaryDirectory(prefix="xmpplab-bench-") as folder, each.start(Path(folder)) as pair:
                runs[each.name].append(measure(pair, extent, lambda text: tell(f"  {text}")))
    return runs
