"""Files with a part of a lab's time line: a page, or a row for each second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.cli.output import check_writable
from cluster.lab.api import BadInput

if TYPE_CHECKING:
    from cluster.lab.timeline.period import Period


PAGE = (".html",)
ROWS = (".csv", ".json")


def check_file(file: Path, endings: Sequence[str] = (*PAGE, *ROWS)) -> None:
    """Check before a run that the file has one of these endings, and can be written. Raises BadInput."""
    check_writable(file)
    if file.suffix not in endings:
        raise BadInput(f"{file} has another ending than {' or '.join(endings)}, which says what to write; rename it")


def write_file(file: Path, period: Period) -> None:
    """Write the period in the form that the file's ending says; see `check_file`."""
    _WRITERS[file.suffix](file, period)


def write_html(file: Path, period: Period) -> None:
    """The page."""
    from cluster.web.report import report

    file.write_text(report(period.title, period), encoding="utf-8")


def write_csv(file: Path, period: Period) -> None:
    """A row for each second."""
    from cluster.lab.timeline.period import write_csv as write_rows

    with file.open("w", encoding="utf-8", newline="") as rows:
        write_rows(rows, period)


def _write_json(file: Path, period: Period) -> None:
    import msgspec

    file.write_bytes(msgspec.json.encode(period))


_WRITERS: dict[str, Callable[[Path, Period], None]] = {".html": write_html, ".csv": write_csv, ".json": _write_json}
