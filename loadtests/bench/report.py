"""The results, as a table next to the targets, and as JSON."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

from loadtests.bench.measure import RATES

OURS, EJABBERD, PROSODY = "xmpplab", "ejabberd", "prosody"
RESULTS = Path(".xmpplab/bench")
"""Where figures are kept; not in the repository."""
_AT_1000 = f"C1-S1-S2-C3 plain {RATES[0]}/s"
_SATURATED = "C1-S1-S2-C3 plain saturated"


Figures = Mapping[str, Sequence[float]]
"""By figure: its values."""
Found = Mapping[str, Figures]
"""By contender and figure: the values; the same index in two lists is the same turn."""


class Target(msgspec.Struct, frozen=True):
    """The target of a figure, relative to a peer or absolute."""

    what: str
    figure: str
    limit: float
    beside: str = ""
    """The peer; empty where the limit is in the figure's own unit."""
    at_least: bool = False

    def value(self, found: Found) -> float | None:
        """The ratio, or the figure; None if the peer was not measured, or shrank."""
        ours = found[OURS][self.figure]
        return ratio(ours, found.get(self.beside, {}).get(self.figure, ())) if self.beside else median(ours)

    def verdict(self, found: Found) -> str:
        """met, not met, or why it is not known."""
        value = self.value(found)
        if value is None:
            return f"not known: no figure of {self.beside}"
        met = value >= self.limit if self.at_least else value <= self.limit
        return "met" if met else "**not met**"

    @property
    def words(self) -> str:
        """The target itself."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}" + (f" × {self.beside}" if self.beside else " ms")


TARGETS = (
    Target("CPU per message, saturated", f"{_SATURATED} cpu_us", 0.4, EJABBERD),
    Target("CPU per message, saturated", f"{_SATURATED} cpu_us", 0.17, PROSODY),
    Target("throughput", f"{_SATURATED} per_s", 2.0, EJABBERD, at_least=True),
    Target("CPU per message at 1,000/s", f"{_AT_1000} cpu_us", 0.7, EJABBERD),
    Target("p99 at 1,000/s", f"{_AT_1000} p99_ms", 5.0),
    Target("p99 at 1,000/s", f"{_AT_1000} p99_ms", 1.0, EJABBERD),
    Target("p99 at 1,000/s", f"{_AT_1000} p99_ms", 1.0, PROSODY),
    Target("memory per idle session", "session_kib", 0.5, EJABBERD),
    Target("memory per idle session", "session_kib", 0.5, PROSODY),
)
"""All for C1-S1-S2-C3 in the clear."""

_UNITS = {
    "cpu_us": "CPU per message, µs", "per_s": "messages/s", "p50_ms": "p50, ms", "p99_ms": "p99, ms",
    "p99.9_ms": "p99.9, ms", "load_us": "CPU of the load itself per message, µs",
    "copy_us": "CPU per copy, µs", "first_ms": "first copy, ms", "last_ms": "last copy, ms",
}  # fmt: skip
_NAMES = {
    "start_s": "start-up of the pair, s",
    "session_kib": "memory per idle session, KiB",
    "login_cpu_ms": "CPU per login (SCRAM over TLS), ms",
    "room_kib": "memory per idle room, KiB",
    "occupant_kib": "memory per occupant, KiB",
}


def ratio(ours: Sequence[float], peer: Sequence[float]) -> float | None:
    """The median of the ratios of each turn; None if there is nothing to compare with."""
    return median(a / b for a, b in zip(ours, peer, strict=True)) if peer and min(peer) > 0 else None


def table(heading: str, targets: Sequence[Target], found: Found) -> str:
    """Targets, then every figure, in Markdown."""
    return "\n".join([*_targets(heading, targets, found), "", *figures(found)])


def _targets(heading: str, targets: Sequence[Target], found: Found) -> Iterator[str]:
    yield f"| {heading} | target | found | |"
    yield "| --- | --- | --- | --- |"
    for target in targets:
        value = target.value(found)
        shown = "" if value is None else f"{value:.2f}"
        yield f"| {target.what} | {target.words} | {shown} | {target.verdict(found)} |"


def figures(found: Found) -> Iterator[str]:
    """The rows of the table of all figures."""
    peers = [name for name in found if name != OURS]
    yield f"| | {' | '.join([OURS, *peers, *(f'ratio to {peer}' for peer in peers)])} |"
    yield "| --- |" + " --- |" * (1 + 2 * len(peers))
    for key, ours in found[OURS].items():
        theirs = [found[peer][key] for peer in peers]
        ratios = [ratio(ours, each) for each in theirs]
        cells = [_number(median(each)) for each in (ours, *theirs)]
        cells += ["" if each is None else f"{each:.2f}" for each in ratios]
        yield f"| {_label(key)} | {' | '.join(cells)} |"


def _label(key: str) -> str:
    way, _, unit = key.rpartition(" ")
    return f"{way}: {_UNITS[unit]}" if way else _NAMES[key]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> dict[str, str]:
    """The machine of the measurement: only ratios hold elsewhere."""
    return {
        "at_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def save(name: str, content: object) -> Path:
    """Save the figures as JSON, under a name with their type and time."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    at_utc = datetime.datetime.now(datetime.UTC)
    file = RESULTS / f"{name}-{at_utc:%Y%m%dT%H%M%SZ}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(content)))
    return file


def write_between(file: Path, mark: str, text: str) -> None:
    """Replace the text between `<!-- MARK begin -->` and `<!-- MARK end -->`. Raises ValueError without them."""
    begin, end = f"<!-- {mark} begin -->", f"<!-- {mark} end -->"
    before, _, rest = file.read_text().partition(begin)
    _, found, behind = rest.partition(end)
    if not found:
        raise ValueError(f"{file} has no `{begin}` … `{end}`")
    file.write_text(f"{before}{begin}\n\n{text}\n\n{end}{behind}")
