"""Short scenarios, and `xmpplab verify` run on them; for its live tests."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from cluster.lab.api import Lab
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, choose
from cluster.lab.provision.redis import connected
from cluster.lab.wait import wait_until
from cluster.membership.members import LEASE_ALONE_S
from cluster.redisio.keys import Keys
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, RunningLab

TOPOLOGY = ROOT / "topologies" / "two-domains.yaml"
SESSIONS = 6
"""Of a run with one flow: sender, receiver, another resource of both, and a stranger in each domain."""


def scenario(
    lab: RunningLab, *lines: str, flow: str = "rate: 300", more: str = "", topology: Path | None = TOPOLOGY
) -> str:
    """Write one with a short flow, and `more`; its path."""
    file = lab.folder / "short.yaml"
    first = f"{{from: romeo@montague.lit, to: juliet@capulet.lit, duration: 3s, {flow}}}"
    head = ["name: short", *([f"topology: {topology}"] if topology else []), f"flows: [{first}{more}]"]
    file.write_text("\n".join([*head, *lines]) + "\n")
    return str(file)


def verify(lab: RunningLab, file: str, exit_code: int = 0) -> dict[str, Any]:
    """The report."""
    told = lab.command("verify", file, "--format", "json", exit_code=exit_code)
    return dict(json.loads(told[told.index("[\n") : told.rindex("\n]") + 2])[0])


def delete_what_waits(lab: RunningLab) -> None:
    """The link's stream, as soon as something waits in it of which its reader, which is paused, has to ask Redis.

    Before its lease is over, a reader that goes on takes what was announced to it, whether it is in the stream or not.
    """
    folder = choose(lab.folder, None)
    key = Keys.of_lab("two-domains").link("capulet.lit", "montague.lit")
    with connected(folder.secrets()[ADMIN]) as redis:
        before, begun_s = int(redis.xlen(key)), time.monotonic()

        def is_missed() -> bool:
            is_over = time.monotonic() - begun_s > LEASE_ALONE_S
            return is_over and int(redis.xlen(key)) > before + 20

        assert wait_until(is_missed, PATIENCE_S)
        redis.xtrim(key, maxlen=0, approximate=False)


def session_count(lab: RunningLab) -> int:
    """How many clients the servers of a lab have that may not be up yet."""
    try:
        found = Lab(choose(lab.folder, None)).overview()
    except LabError:
        return 0
    return sum(node.sessions or 0 for node in found.nodes)
