"""xmpplab next to the peers: all are up, and loaded in turns of a second, so that a disturbance affects all."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from cluster.kinds.ejabberd import EJABBERD
from cluster.kinds.prosody import PROSODY
from loadtests.bench import report
from loadtests.bench.measure import WAYS, Extent, Side
from loadtests.bench.ours import OURS
from loadtests.bench.pair import Contender, Pair
from loadtests.bench.peer import contender

PEERS = (contender(EJABBERD), contender(PROSODY))
CONTENDERS = (OURS, *PEERS)
S = TypeVar("S")
NO_MORE_AFTER_S = 780.0
"""No further round starts that would end later; the first one is always done."""


def compare(extent: Extent, rounds: int, tell: Callable[[str], None]) -> str:
    """Measure, save the figures, and return the table."""
    present = those_present(CONTENDERS, tell)
    found = in_rounds(lambda: _round(present, extent, tell), rounds, tell)
    tell(f"all figures: {report.save('compare', {'machine': report.machine(), 'found': found})}")
    return report.table("C1-S1-S2-C3, in the clear", report.TARGETS, found)


def those_present(contenders: Sequence[Contender], tell: Callable[[str], None]) -> list[Contender]:
    """Those that can be started on this machine."""
    for each in contenders:
        if each.missing:
            tell(f"{each.name} is skipped: {each.missing}")
    return [each for each in contenders if not each.missing]


def in_rounds(
    measure: Callable[[], Mapping[str, report.Figures]], rounds: int, tell: Callable[[str], None]
) -> report.Found:
    """The figures of several rounds, as far as the time allows. `measure`: those of one, by contender."""
    found: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    begun_s = time.monotonic()
    for done in range(rounds):
        passed_s = time.monotonic() - begun_s
        if done and passed_s * (done + 1) / done > NO_MORE_AFTER_S:
            tell(f"no time for more than {done} rounds: {passed_s:.0f} s have passed")
            break
        tell(f"round {done + 1} of {rounds}")
        for name, figures in measure().items():
            for key, values in figures.items():
                found[name][key] += values
    return found


def _round(contenders: Sequence[Contender], extent: Extent, tell: Callable[[str], None]) -> dict[str, report.Figures]:
    with ExitStack() as up:
        sides: dict[str, Side] = {}
        for each in contenders:
            sides[each.name] = Side(start(each, up, tell))
            sides[each.name].rest(extent.idle_sessions)
        for tls in (False, True):
            with ExitStack() as closing:
                for side in sides.values():
                    side.log_in(tls, closing)
                _load([*sides.values()], "TLS" if tls else "plain", extent, tell)
    return {name: side.found for name, side in sides.items()}


def start(contender: Contender, up: ExitStack, tell: Callable[[str], None]) -> Pair:
    """A pair, in a new folder, until `up` closes."""
    tell(f"  {contender.name} starts")
    folder = Path(up.enter_context(tempfile.TemporaryDirectory(prefix="xmpplab-bench-")))
    return up.enter_context(contender.start(folder))


def turns(sides: Sequence[S], count: int) -> Iterator[S]:
    """Each of them this number of times, so that none always follows the same other one."""
    for turn in range(count):
        for number in range(len(sides)):
            yield sides[(turn + number) % len(sides)]


def _load(sides: Sequence[Side], security: str, extent: Extent, tell: Callable[[str], None]) -> None:
    for way in WAYS:
        for side in sides:
            side.begin(way)
        for label, (rate, for_s) in extent.loads.items():
            tell(f"  {way} {security} {label}")
            for side in turns(sides, extent.turns):
                side.load(way, f"{security} {label}", rate, for_s)
