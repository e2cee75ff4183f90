"""The list of labs, and what is read before a lab exists."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.lab.api.lab import Lab
from cluster.lab.errors import BadInput
from cluster.lab.progress import Tell, untold

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.lab.answers import ClientView, LabView
    from cluster.lab.logs import LogLine
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


def client_programs() -> list[ClientView]:
    """The client programs that `Lab.connect` can start, by name, installed or not."""
    from cluster.lab.answers import ClientView
    from cluster.lab.programs import known

    return [ClientView(each.name, each.path, each.package, each.is_graphical) for each in known().values()]


def read_plans(
    file: Path | None, redis_url: str = "", root: Path | None = None, processes: int | None = None
) -> Sequence[Plan]:
    """The plans of a topology file, best first; None: the only file in the current folder. Raises BadInput with all
    its errors.

    `root`: where the lab's folder will be; None: in the current folder.
    `processes`: how many the servers share, 0: each has its own; None: as the file says.
    """
    from cluster.lab import plans
    from cluster.topology.problem import TopologyError

    file = file or plans.default_file(Path.cwd())
    try:
        return plans.read_plans(file, root or Path.cwd(), redis_url, processes)
    except TopologyError as error:
        raise BadInput(f"{file} is not valid:\n{error}") from None


@contextmanager
def temporary_lab(
    topology: str | Path, root: Path | None = None, *, every_stanza: bool = False, tell: Tell = untold
) -> Iterator[Lab]:
    """A lab that is up within the block. It ends with this process at the latest, even by SIGKILL.

    `topology`: a file, or the name of a topology that is included. `root`: where the lab's folder will be; None: in a
    new temporary folder. `every_stanza`: the journal has every stanza, so that `stanzas` and `why` explain all.
    """
    from tempfile import TemporaryDirectory

    from msgspec.structs import replace

    from cluster.lab.catalogue import topology_path

    with TemporaryDirectory(prefix="xmpplab-", dir=root) as folder:
        plans = read_plans(topology_path(str(topology)), root=Path(folder))
        if every_stanza:
            plans = [replace(plan, sample_every=1) for plan in plans]
        lab = Lab.of_plan(plans[0])
        lab.up(plans, tell=tell, owner=os.getpid())
        try:
            yield lab
        finally:
            if lab.exists:
                lab.down()


def link_faults() -> dict[str, str]:
    """The faults that a link may have, and their meanings."""
    from cluster.router.faults import known

    return {key: fault.meaning for key, fault in known().items()}


def log_text(node: str, line: LogLine) -> str:
    """A log line for people, in UTC like the times of traces."""
    from cluster.trace.terminal import safe_indented

    moment = line.at_utc[11:23] or " " * 12
    level = "" if line.level == "info" else f"{line.level.upper()} "
    return f"{moment} {node:<6} {level}{safe_indented(line.text, '    ')}"


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
