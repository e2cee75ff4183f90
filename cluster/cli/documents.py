"""The JSON documents that commands print; `make docs` writes docs/output.schema.json from them."""

from __future__ import annotations

from typing import Any

import msgspec

from cluster.cli.loadrun import LoadReport
from cluster.client.archived import ArchivedMessage
from cluster.client.asking import RosterContact
from cluster.kinds import networks
from cluster.lab.answers import (
    AccountView,
    CheckStep,
    ClientView,
    Intention,
    LabView,
    LinkState,
    LogView,
    NetworkView,
    Overview,
    SearchResult,
    SessionView,
)
from cluster.lab.interop.cell import Cell
from cluster.lab.verify.report import Report
from cluster.simulation.report import SimulationReport
from cluster.topology.plan import Plan
from cluster.trace.why import Explanation


class HopView(msgspec.Struct, frozen=True):
    """One step of a stanza, as `trace` shows it."""

    trace_id: str
    node: str
    event: str
    at: str
    """ISO 8601."""
    offset_ms: float
    """Time after the first hop."""
    delta_ms: float
    """Time after the previous hop."""
    kind: str
    from_: str = msgspec.field(name="from")
    to: str
    size_bytes: int
    detail: str


DOCUMENTS: dict[str, Any] = {
    "ps": Overview,
    "ls": list[LabView],
    "logs": LogView,
    "trace": list[HopView],
    "why": Explanation,
    "inbox": list[ArchivedMessage],
    "search": SearchResult,
    "user ls": list[AccountView],
    "connect": list[ClientView],
    "user sessions": list[SessionView],
    "user roster": list[RosterContact],
    "fault ls": list[LinkState],
    "network ls": list[NetworkView],
    **{kind.command.name: list[kind.command.received] for kind in networks().values() if kind.command},  # type: ignore[name-defined]
    "load": LoadReport,
    "verify": list[Report],
    "simulate": list[SimulationReport],
    "config": Plan,
    "up": Intention,
    "check": list[CheckStep],
    "interop": list[Cell],
}
