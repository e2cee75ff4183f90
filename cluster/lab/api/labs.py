"""The list of labs, and what is read before a lab exists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cluster.lab.api.lab import Lab
from cluster.lab.errors import BadInput

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.lab.answers import LabView
    from cluster.topology.plan import Plan


def labs_folder() -> Path:
    """The folder of the labs in the current folder."""
    from cluster.lab.folder import LABS

    return Path.cwd() / LABS


def labs_here() -> list[Lab]:
    """The labs of the current folder, running or kept."""
    from cluster.lab.folder import labs

    return [Lab(folder) for folder in labs(Path.cwd())]


def running_labs() -> list[Lab]:
    """The running labs of this user, in any folder."""
    from cluster.lab.driver import driver
    from cluster.lab.everywhere import running_labs

    return [Lab(folder, driver(kind, folder)) for folder, kind in running_labs()]


def all_labs() -> list[LabView]:
    """The running labs, and those of the current folder."""
    from cluster.lab.answers import LabView

    running = {lab.path for lab in running_labs()}
    paths = sorted(running | {lab.path for lab in labs_here()})
    return [LabView(path.name, "up" if path in running else "down", str(path)) for path in paths]


def read_plans(file: Path | None, redis_url: str = "") -> list[Plan]:
    """The plans of a topology file for the current folder, best first; None: the only file there. Raises BadInput with
    all its errors."""
    from cluster.lab import plans
    from cluster.topology.problem import TopologyError

    file = file or plans.default_file(Path.cwd())
    try:
        return plans.read_plans(file, Path.cwd(), redis_url)
    except TopologyError as error:
        raise BadInput(f"{file} is not valid:\n{error}") from None


def link_faults() -> dict[str, str]:
    """The faults that a link may have, and their meanings."""
    from cluster.router.faults import known

    return {key: fault.meaning for key, fault in known().items()}


def seconds(text: str, of: str = "") -> float:
    """A time such as 500ms or 3s. Raises BadInput. `of`: the option, such as `--for`."""
    from cluster.base.units import DURATION

    try:
        return DURATION.parse(text) or 0.0
    except ValueError as error:
        raise BadInput(f"{of}: {error}" if of else str(error)) from None


def log_begin(since: str, now_utc: datetime) -> str:
    """The start of a part of the log, in the form of log lines; empty for the beginning. Raises BadInput."""
    from datetime import UTC, datetime, timedelta

    from cluster.lab.logs import utc_text

    if not since:
        return ""
    try:
        if "T" in since or "-" in since:
            moment = datetime.fromisoformat(since)
            return utc_text((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC))
        return utc_text(now_utc - timedelta(seconds=seconds(since)))
    except (BadInput, ValueError, OverflowError):
        raise BadInput(f"--since {since}: write how long ago (90s, 10m) or a time (2026-11-20T12:00:00Z)") from None
