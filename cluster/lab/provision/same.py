"""Compares the running lab with the wanted one."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.lab.errors import LabError
from cluster.topology.difference import differences
from cluster.topology.plan import Plan

MOST_SHOWN = 10


def check_same(running: Plan, wanted: Sequence[Plan]) -> None:
    """`wanted` are one lab at different addresses. Raises LabError with the differences to the running lab."""
    found = differences(running, wanted)
    if not found:
        return
    shown = [f"    {line}" for line in found[:MOST_SHOWN]]
    if len(found) > MOST_SHOWN:
        shown.append(f"    and {len(found) - MOST_SHOWN} more")
    raise LabError(
        "\n".join(
            [
                f"lab {running.name!r} is already up with another topology:",
                *shown,
                "run `xmpplab down --keep`, then `up`, to apply this and keep accounts and messages; `xmpplab user`, "
                "`fault` and `scale` change accounts, links and nodes while the lab runs",
            ]
        )
    )
