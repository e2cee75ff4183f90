"""The one door to the labs, for commands, pages and programs: what is not here, they do not need to import.

What goes in and out are texts, JIDs, plans and the structs of `cluster.lab.answers`. It is quick to import: each call
imports what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.lab.api.lab import Lab
from cluster.lab.api.labs import all_labs, labs_folder, labs_here, link_faults, read_plans, running_labs, seconds
from cluster.lab.errors import BadInput, LabError, of_system
from cluster.lab.logs import LogLine, utc_text
from cluster.lab.state import DriverKind, NodeAction

if TYPE_CHECKING:
    from cluster.lab.networks import Mailbox, Phone
    from cluster.lab.tracing.prober import Prober, Route

__all__ = [
    "BadInput",
    "DriverKind",
    "Lab",
    "LabError",
    "LogLine",
    "Mailbox",
    "NodeAction",
    "Phone",
    "Prober",
    "Route",
    "all_labs",
    "labs_folder",
    "labs_here",
    "link_faults",
    "of_system",
    "read_plans",
    "running_labs",
    "seconds",
    "utc_text",
]
