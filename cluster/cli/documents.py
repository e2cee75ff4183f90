"""The JSON documents that commands print, by command; `make docs` writes docs/output.schema.json of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from cluster.client.archive import ArchivedMessage
from cluster.kinds import networks
from cluster.lab.faults import LinkState
from cluster.lab.intention import Intention
from cluster.lab.overview import Overview
from cluster.lab.verify.report import Report
from cluster.topology.plan import Plan


class LabView(msgspec.Struct, frozen=True):
    """A lab of the user."""

    name: str
    state: Literal["up", "down"]
    state_dir: str


class LogView(msgspec.Struct, frozen=True):
    """One log line; `logs` prints one such document a line."""

    at_utc: str
    """ISO 8601."""
    node: str
    level: str
    """debug, info, warning or error."""
    text: str


class AccountView(msgspec.Struct, frozen=True):
    """An account of a server."""

    jid: str
    server: str
    """Name of the server."""


class NetworkView(msgspec.Struct, frozen=True):
    """A foreign network that the lab runs."""

    name: str
    kind: Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(networks())})]
    status: dict[str, Any]
    faults: dict[str, Any]


class TextView(msgspec.Struct, frozen=True):
    """A text in the inbox of a phone."""

    at_utc_s: float
    from_: str = msgspec.field(name="from")
    text: str
    trace_id: str
    """Key of its hops in the journal; empty where it is not traced."""


class MailView(msgspec.Struct, frozen=True):
    """A mail in a mailbox."""

    at_utc_s: float
    from_: str = msgspec.field(name="from")
    subject: str
    text: str
    message_id: str
    trace_id: str


class HopView(msgspec.Struct, frozen=True):
    """One step of a stanza, as `trace` shows it."""

    trace_id: str
    node: str
    event: str
    at: str
    """ISO 8601."""
    offset_ms: float
    """After the first hop."""
    delta_ms: float
    """After the hop before."""
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
    "inbox": list[ArchivedMessage],
    "user ls": list[AccountView],
    "fault ls": list[LinkState],
    "network ls": list[NetworkView],
    "phone": list[TextView],
    "mail": list[MailView],
    "verify": list[Report],
    "config": Plan,
    "up": Intention,
}
