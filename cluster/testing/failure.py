"""What a lab knows about the failure of a test."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from cluster.lab.api import Lab, LabError, log_begin, log_text
from cluster.trace.verdict import is_failure, lines, summary

MOST_STANZAS = 30
"""Shown in the report of a test: the newest."""
MOST_EXPLAINED = 10
"""Of these, explained hop by hop: those that failed or were late."""
MOST_LOG_LINES = 200
"""Shown in the report of a test: the newest."""


def sections(lab: Lab, since_utc_s: float) -> list[tuple[str, str]]:
    """The stanzas and the log lines since then, as sections of a pytest report."""
    since = datetime.fromtimestamp(since_utc_s, UTC)
    found = []
    for title, write in (("xmpplab why", _why), ("xmpplab logs", _log)):
        try:
            text = write(lab, since)
        except (LabError, OSError) as error:  # the failure may be that the lab is gone
            text = str(error)
        found.append((title, text or "(none)"))
    return found


def _why(lab: Lab, since: datetime) -> str:
    stanzas = lab.stanzas(since)
    shown = stanzas[-MOST_STANZAS:]
    now_utc = datetime.now(UTC)
    explained = [each for each in shown if is_failure(each) or each.reason == "late"][-MOST_EXPLAINED:]
    written = [f"({len(stanzas) - len(shown)} earlier stanzas)"] if len(stanzas) > len(shown) else []
    for each in shown:
        written += lines(each, now_utc) if each in explained else [": ".join(summary(each, now_utc))]
    return "\n".join(written)


def _log(lab: Lab, since: datetime) -> str:
    begin = log_begin(since.isoformat(), since)
    shown = deque((entry for entry in lab.log().read() if entry[1].at_utc >= begin), MOST_LOG_LINES)
    return "\n".join(log_text(node, line) for node, line in shown)
