"""Hops as they happen; every stanza is followed as long as somebody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cluster.lab.control.ask import tell_all
from cluster.lab.control.requests import Follow
from cluster.lab.folder import LabFolder
from cluster.lab.progress import Tell, untold
from cluster.lab.tracing.journal import journal
from cluster.lab.tracing.kept import KeptJournal
from cluster.topology.plan import Plan
from cluster.trace.hop import Hop

LEASE_S = 10.0
"""The servers follow every stanza for this time, unless they are asked again: a watcher may be killed."""
RENEW_EVERY_S = 4.0
ANSWER_TIMEOUT_S = 1.0
FOLLOWING = "following {} while this command runs"


def watch(
    folder: LabFolder, plan: Plan, *, every_stanza: bool = False, address: str = "", tell: Tell = untold
) -> Iterator[list[Hop]]:
    """The hops from now on, endless: of the stanzas that are followed anyway, or of every stanza that enters the lab.

    An empty list comes where there is no hop within a second. Of a run that is over, all hops of its journal.

    `address`: what is from or to it is followed too: an account, one of its resources, or a domain.
    `tell` hears when every stanza is followed, and which servers do not answer and so follow no more than
    usual. Raises LabError.
    """
    if folder.journal.exists():
        yield from KeptJournal(folder.journal).replay()
        return
    renewed_s, silent = float("-inf"), None
    with journal(folder, plan) as reader:
        following = reader.follow()
        while True:
            if (every_stanza or address) and time.monotonic() > renewed_s + RENEW_EVERY_S:
                before, silent = silent, _follow(folder, plan, "" if every_stanza else address)
                renewed_s = time.monotonic()
                if silent != before:
                    what = "every stanza" if every_stanza else f"what is from or to {address}"
                    tell(f"no answer from {silent}: it does not follow {what}" if silent else FOLLOWING.format(what))
            yield next(following)


def _follow(folder: LabFolder, plan: Plan, address: str) -> str:
    """Ask the servers to follow an address, or everything, for LEASE_S; returns who did not answer."""
    until_utc_s = time.time() + LEASE_S
    silent = tell_all(folder, plan, plan.ours, Follow(until_utc_s, address), ANSWER_TIMEOUT_S)
    return ", ".join(node.name for node in silent)
