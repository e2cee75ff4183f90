"""`python -m tests.torture [RUN...]`: runs the torture, prints its table, and writes it into a page if told to."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.torture.lab import Lab
from tests.torture.runs import KINDS, Result, run, topology

BEGIN = "<!-- torture: written by `make torture`; do not edit -->"
END = "<!-- end of the torture -->"
_HEAD = (
    "run", "sent", "acknowledged", "delivered", "lost", "bounced", "altered", "misdelivered", "copies, same stanza-id",
    "copies, sent again", "copies, other", "out of order", "streams resumed", "new sessions", "promises",
)  # fmt: skip


def row(result: Result, seconds: float, seed: int) -> list[str]:
    """Of the table."""
    totals = result.totals
    numbers = [
        totals.sent, totals.acknowledged, totals.delivered, totals.lost, totals.bounced, totals.altered,
        totals.misdelivered, totals.same_id, totals.sent_again, totals.other_id, totals.out_of_order,
        result.resumed, result.begun,
    ]  # fmt: skip
    count = f", {len(result.done)} times" if result.done else ""
    kept = "; ".join(f"broken: {text}" for text in totals.broken) or "kept"
    return [f"{result.about}{count} ({seconds:g} s, seed {seed})", *(f"{number:,}" for number in numbers), kept]


def table(rows: list[list[str]]) -> str:
    """In Markdown."""
    lines = [_HEAD, ["---"] + ["--:"] * (len(_HEAD) - 2) + ["---"], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def updated(page: str, rows: list[list[str]]) -> str:
    """The page with these rows between its two markers. Raises ValueError where one is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"it needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{after}"


def main() -> int:
    """Exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"of {', '.join(KINDS)}; all of them without")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run (60)")
    parser.add_argument("--seed", type=int, default=1597, help="of the schedule (1597)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the table into this page")
    options = parser.parse_args()
    if unknown := [name for name in options.runs if name not in KINDS]:
        parser.error(f"no run {', '.join(unknown)}; there are: {', '.join(KINDS)}")
    rows, failed = [], False
    for name in options.runs or KINDS:
        result = _in_own_lab(name, options.seconds, options.seed)
        for line in result.done:
            print(f"    {line}")
        rows.append(row(result, options.seconds, options.seed))
        memory = f"memory of all nodes in the second half: {result.growth:+.0%}"
        print(f"{name}: {', '.join(result.totals.broken) or 'all promises were kept'}; {memory}", flush=True)
        failed |= bool(result.totals.broken)
    print(table(rows))
    if options.write is not None:
        options.write.write_text(updated(options.write.read_text(), rows))
    return 1 if failed else 0


def _in_own_lab(name: str, seconds: float, seed: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="xmpplab-torture-") as folder:
        lab = Lab(Path(folder), topology(f"torture-{name}", KINDS[name].nodes))
        lab.up()
        try:
            return run(name, lab, seconds, seed)
        finally:
            lab.down()


if __name__ == "__main__":
    sys.exit(main())
