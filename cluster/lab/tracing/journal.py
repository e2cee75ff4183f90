"""The journal of a running lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.redis_client import connected
from cluster.redisio.keys import Keys
from cluster.topology.plan import Plan
from cluster.trace.reader import JournalReader


@contextmanager
def journal(folder: LabFolder, plan: Plan, timeout_s: float | None = None) -> Iterator[JournalReader]:
    """The lab's journal, for reading; `timeout_s` as for `connected`. Raises LabError."""
    with connected(folder.secrets()[ADMIN], timeout_s) as redis:
        yield JournalReader(redis, Keys.of_lab(plan.name))
