"""The one interface to the labs, for commands, pages and programs; they import nothing else of `cluster.lab`.

Arguments and results are texts, JIDs, plans and the structs of `cluster.lab.answers`. It is quick to import: each call
imports what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.lab import DriverKind
from cluster.lab.api.account import Account
from cluster.lab.api.lab import Lab
from cluster.lab.api.labs import (
    all_labs,
    client_programs,
    labs_folder,
    labs_here,
    link_faults,
    log_begin,
    log_text,
    read_plans,
    running_labs,
    seconds,
    temporary_lab,
)
from cluster.lab.api.timeline import LabTimeline
from cluster.lab.errors import BadInput, LabError, of_system
from cluster.lab.progress import shortened
from cluster.lab.wait import wait_until

if TYPE_CHECKING:
    from cluster.lab.logs import LogLine
    from cluster.lab.state import NodeAction
    from cluster.lab.tracing.prober import Prober, Route

__all__ = [
    "Account",
    "BadInput",
    "DriverKind",
    "Lab",
    "LabError",
    "LabTimeline",
    "LogLine",
    "NodeAction",
    "Prober",
    "Route",
    "all_labs",
    "client_programs",
    "labs_folder",
    "labs_here",
    "link_faults",
    "log_begin",
    "log_text",
    "of_system",
    "read_plans",
    "running_labs",
    "seconds",
    "shortened",
    "temporary_lab",
    "wait_until",
]
