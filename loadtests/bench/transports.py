"""One message between two domains by what carries it: Redis, our own streams between servers, those of the peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from loadtests.bench import report
from loadtests.bench.compare import PEERS, in_rounds, start, those_present, turns
from loadtests.bench.measure import RATES, WAYS, Extent, Side
from loadtests.bench.ours import running
from loadtests.bench.pair import Contender
from loadtests.bench.peer import DOMAINS
from loadtests.bench.report import EJABBERD, OURS, Target

REDIS = "xmpplab, redis"
_WAY = WAYS[-1]
_IN_CLEAR: dict[str, Any] = {"defaults": {"tls": "off"}}
"""As the streams of the peers are here, with dialback."""
_STREAMS: dict[str, Any] = {**_IN_CLEAR, "links": [{"between": ["s1", "s2"], "transport": "s2s"}]}
CONTENDERS = (
    Contender(OURS, "", lambda folder: running(folder, list(DOMAINS), _STREAMS)),
    Contender(REDIS, "", lambda folder: running(folder, list(DOMAINS), _IN_CLEAR)),
    *PEERS,
)
TARGETS = (
    Target("CPU per message, saturated", f"{_WAY} plain saturated cpu_us", 0.5, EJABBERD),
    Target("CPU per message at 1,000/s", f"{_WAY} plain {RATES[0]}/s cpu_us", 0.5, EJABBERD),
    Target("p99 at 1,000/s", f"{_WAY} plain {RATES[0]}/s p99_ms", 1.0, EJABBERD),
)


def transports(extent: Extent, rounds: int, tell: Callable[[str], None]) -> str:
    """Measure, save the figures, and return the table."""
    present = those_present(CONTENDERS, tell)
    found = in_rounds(lambda: _round(present, extent, tell), rounds, tell)
    tell(f"all figures: {report.save('transports', {'machine': report.machine(), 'found': found})}")
    return report.table(f"{_WAY}, xmpplab with `transport: s2s`, all in the clear", TARGETS, found)


def _round(contenders: Sequence[Contender], extent: Extent, tell: Callable[[str], None]) -> dict[str, report.Figures]:
    with ExitStack() as up:
        sides = {each.name: Side(start(each, up, tell)) for each in contenders}
        for side in sides.values():
            side.log_in(False, up)
            side.begin(_WAY)
        for label, (rate, for_s) in extent.loads.items():
            tell(f"  {_WAY} {label}")
            for side in turns([*sides.values()], extent.turns):
                side.load(_WAY, f"plain {label}", rate, for_s)
    return {
        name: {key: each for key, each in side.found.items() if key.startswith(_WAY)} for name, side in sides.items()
    }
