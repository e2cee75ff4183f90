"""Hops as they happen, and every stanza followed as long as somebody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cluster.lab.control.ask import tell_all
from cluster.lab.control.requests import FollowAll
from cluster.lab.folder import LabFolder
from cluster.lab.progress import Tell
from cluster.lab.tracing.journal import journal
from cluster.topology.plan import Plan
from cluster.trace.hop import Hop

LEASE_S = 10.0
"""The servers follow every stanza for so long, unless they are asked again: a watcher may be killed."""
RENEW_EVERY_S = 4.0
ANSWER_TIMEOUT_S = 1.0
FOLLOWED = "following every stanza while this command runs"


def watch(folder: LabFolder, plan: Plan, *, every_stanza: bool, tell: Tell) -> Iterator[Hop]:
    """The hops from now on, without an end: of what is followed anyway, or of every stanza that enters the lab.

    `tell` hears when every stanza is followed, and which servers do not answer and so follow no more than
    usual. Raises LabError.
    """
    renewed_s, silent = float("-inf"), None
    with journal(folder, plan) as reader:
        following = reader.follow()
        while True:
            if every_stanza and time.monotonic() > renewed_s + RENEW_EVERY_S:
                before, silent = silent, _follow_all(folder, plan)
                renewed_s = time.monotonic()
                if silent != before:
                    tell(f"no answer from {silent}: it does not follow every stanza" if silent else FOLLOWED)
            yield from next(following)


def _follow_all(folder: LabFolder, plan: Plan) -> str:
    """Have the servers follow all for LEASE_S; the names of those that did not answer."""
    until_utc_s = time.time() + LEASE_S
    silent = tell_all(folder, plan, plan.ours, FollowAll(until_utc_s), ANSWER_TIMEOUT_S)
    return ", ".join(node.name for node in silent)
