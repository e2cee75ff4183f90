"""The fault matrix: a row for each scenario, written between two lines of a page."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.lab.verify.render import COUNTED, cells
from cluster.lab.verify.report import Report

BEGIN = "<!-- matrix: written by `make fault-matrix`; do not edit -->"
END = "<!-- end of the matrix -->"
_COLUMNS = ("what was done", *COUNTED, "promises")


def updated(page: str, reports: Sequence[Report]) -> str:
    """The page with these rows. Raises ValueError where a marker is not there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"it needs the lines {BEGIN!r} and {END!r}: the table goes between them")
    return f"{before}{BEGIN}\n\n{table(reports)}\n\n{END}{after}"


def table(reports: Sequence[Report]) -> str:
    """In Markdown."""
    lines = [_COLUMNS, ["---"] + ["--:"] * (len(_COLUMNS) - 2) + ["---"]]
    for report in reports:
        kept = "; ".join(f"broken: {promise.text}" for promise in report.failures) or "kept"
        lines.append([report.about or report.scenario, *cells(report.total), kept])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
