"""The one interface to the labs, for commands, pages and programs; they import nothing else of `cluster.lab`.

Arguments and results are texts, JIDs, plans and the structs of `cluster.lab.answers`. It is quick to import: each call
imports what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.lab import DriverKind
from cluster.lab.api.lab import Lab
from cluster.lab.api.labs import (
    all_labs,
    labs_folder,
    labs_here,
    link_faults,
    log_begin,
    read_plans,
    running_labs,
    seconds,
)
from cluster.lab.errors import BadInput, LabError, of_system

if TYPE_CHECKING:
    from cluster.lab.logs import LogLine
    from cluster.lab.state import NodeAction
    from cluster.lab.tracing.prober import Prober, Route

__all__ = [
    "BadInput",
    "DriverKind",
    "Lab",
    "LabError",
    "LogLine",
    "NodeAction",
    "Prober",
    "Route",
    "all_labs",
    "labs_folder",
    "labs_here",
    "link_faults",
    "log_begin",
    "of_system",
    "read_plans",
    "running_labs",
    "seconds",
]
