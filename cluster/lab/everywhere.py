"""The running labs of this user, in any folder: found by their supervisors, and by their containers."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil

from cluster.lab import DriverKind
from cluster.lab.containers.engine import folders
from cluster.lab.errors import LabError
from cluster.lab.folder import LabFolder

SUPERVISOR = "cluster.lab.supervisor"


def running_labs() -> list[tuple[LabFolder, DriverKind]]:
    """The driver of each, by folder; the folder of a lab in containers may have been removed."""
    found: dict[Path, DriverKind] = dict.fromkeys(_supervised(), "process")
    with suppress(LabError):  # no engine answers, so it has no lab
        found |= dict.fromkeys(map(Path, folders()), "docker")
    return [(LabFolder(path), found[path]) for path in sorted(found)]


def _supervised() -> list[Path]:
    found = []
    for process in psutil.process_iter(["cmdline", "uids"]):
        words, uids = process.info["cmdline"] or [], process.info["uids"]
        is_supervisor = SUPERVISOR in words[2:4]  # an earlier version had no -P before
        if is_supervisor and words[-1] != SUPERVISOR and uids is not None and uids.real == os.getuid():
            found.append(Path(words[words.index(SUPERVISOR) + 1]))
    return found
