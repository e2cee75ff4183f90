"""xmpplab next to the peers: all are up, and loaded in turns of a second, so that a disturbance affects all."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from cluster.kinds.ejabberd import EJABBERD
from cluster.kinds.prosody import PROSODY
from loadtests.bench import report
from loadtests.bench.measure import WAYS, Extent, Side
from loadtests.bench.ours import OURS
from loadtests.bench.pair import Contender
from loadtests.bench.peer import contender

CONTENDERS = (OURS, contender(EJABBERD), contender(PROSODY))
NO_MORE_AFTER_S = 780.0
"""No further round starts that would end later; the first one is always done."""


def compare(extent: Extent, rounds: int, tell: Callable[[str], None]) -> str:
    """Measure, save the figures, and return the table."""
    present = [each for each in CONTENDERS if not each.missing]
    for each in CONTENDERS:
        if each.missing:
            tell(f"{each.name} is skipped: {each.missing}")
    found = _rounds(present, extent, rounds, tell)
    tell(f"all figures: {report.save('compare', {'machine': report.machine(), 'found': found})}")
    return report.table(found)


def _rounds(contenders: Sequence[Contender], extent: Extent, rounds: int, tell: Callable[[str], None]) -> report.Found:
    found: dict[str, defaultdict[str, list[float]]] = {each.name: defaultdict(list) for each in contenders}
    begun_s = time.monotonic()
    for done in range(rounds):
        passed_s = time.monotonic() - begun_s
        if done and passed_s * (done + 1) / done > NO_MORE_AFTER_S:
            tell(f"no time for more than {done} rounds: {passed_s:.0f} s have passed")
            break
        tell(f"round {done + 1} of {rounds}")
        for name, side in _round(contenders, extent, tell).items():
            for key, values in side.found.items():
                found[name][key] += values
    return found


def _round(contenders: Sequence[Contender], extent: Extent, tell: Callable[[str], None]) -> dict[str, Side]:
    with ExitStack() as up:
        sides: dict[str, Side] = {}
        for each in contenders:
            tell(f"  {each.name} starts")
            folder = Path(up.enter_context(tempfile.TemporaryDirectory(prefix="xmpplab-bench-")))
            sides[each.name] = Side(up.enter_context(each.start(folder)))
            sides[each.name].rest(extent.idle_sessions)
        for tls in (False, True):
            with ExitStack() as closing:
                for side in sides.values():
                    side.log_in(tls, closing)
                _load([*sides.values()], "TLS" if tls else "plain", extent, tell)
    return sides


def _load(sides: Sequence[Side], security: str, extent: Extent, tell: Callable[[str], None]) -> None:
    for way in WAYS:
        for side in sides:
            side.begin(way)
        for label, (rate, for_s) in extent.loads.items():
            tell(f"  {way} {security} {label}")
            for turn in range(extent.turns):
                for number in range(len(sides)):  # in turns, so that none always follows the same other one
                    sides[(turn + number) % len(sides)].load(way, f"{security} {label}", rate, for_s)
