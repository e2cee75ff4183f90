"""What must hold at the end of a run."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import BeforeValidator, WithJsonSchema

from cluster.lab.verify.values import Limit, Seconds, Share, limit
from cluster.topology.strict import Section

EXPLAINED: Final = "explained"


def _explained_limit(value: object) -> object:
    if value == EXPLAINED:
        return value
    try:
        return limit(value)
    except ValueError as error:
        raise ValueError(f"{error}, or {EXPLAINED}") from None


class Promises(Section):
    """What must hold at the end. Each is a limit, or `any`."""

    lost: Limit = 0
    """Stanzas that neither arrived nor returned, although no fault of this run explains it."""
    lost_by_fault: Limit = None
    """Stanzas that a `loss` fault of a link lost, while it was set. Without it: any."""
    bounced: Limit = 0
    """Stanzas that returned as errors."""
    altered: Limit = 0
    """Arrivals that differ from what was sent: another kind, type, from, to, id or payload."""
    misdelivered: Limit = 0
    """Stanzas that reached somebody else."""
    out_of_order: Limit = 0
    """Stanzas that arrived after one that was sent later."""
    duplicated: Limit = 0
    """Stanzas that arrived again with another stanza-id, or none, so that no client recognises them."""
    duplicated_same_id: Annotated[
        int | Literal["explained"] | None,
        BeforeValidator(_explained_limit),
        WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"const": "any"}, {"const": EXPLAINED}]}),
    ] = EXPLAINED
    """Messages that arrived again with the same stanza-id (XEP-0359), by which a client recognises them, and presence
    and iqs with the same id. `explained`, the default: those that the crashes, broken connections and faults of the run
    explain, and no others."""
    longest_gap: Seconds | None = None
    """The longest time without an arrival while something was under way, such as `10s`. Without it: any."""
    memory_growth: Share = None
    """By how much the memory (RSS) of each node may grow from the middle of the run to its end, such as `20%`. Without
    it: any."""


Promise = Literal[
    "lost", "lost_by_fault", "bounced", "altered", "misdelivered", "out_of_order", "duplicated", "duplicated_same_id",
    "longest_gap", "memory_growth",
]  # fmt: skip


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


PROMISES = Annotated[
    list[Promise],
    BeforeValidator(_listed),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": list(get_args(Promise))},
                {"type": "array", "items": {"type": "string", "enum": list(get_args(Promise))}},
            ]
        }
    ),
]
"""One promise, or a list of them."""
