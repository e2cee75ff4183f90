"""The answer of `why` for people: what happened to a stanza, and what each hop did. Pure, from answers to lines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from cluster.base.reasons import FOREIGN_SERVER
from cluster.trace.terminal import safe_line

if TYPE_CHECKING:  # commands that explain nothing start fast
    from cluster.trace.why import Decision, Explanation

Mark = Callable[[str], str]
"""Marks a line about a problem, such as by a colour."""


def lines(answer: Explanation, now_utc: datetime, mark: Mark = str) -> list[str]:
    """What happened to the stanza and why, and each hop."""
    width = max(len(each.node) for each in answer.decisions)
    title, outcome = summary(answer, now_utc)
    about = (("why", answer.what), ("rule", answer.rule), ("remedy", answer.remedy))
    reasons = [safe_line(f"  {name + ':':<7} {text}") for name, text in about if text]
    outcome = mark(outcome) if is_failure(answer) else outcome
    return [title, outcome, *reasons, *(_line(each, width, mark) for each in answer.decisions)]


def summary(answer: Explanation, now_utc: datetime) -> tuple[str, str]:
    """The stanza, and what became of it."""
    to = f" to {answer.to}" if answer.to else ""  # presence to all who see it has no receiver
    title = f"{answer.kind} from {answer.from_}{to}, trace {answer.trace_id}, {_age(answer, now_utc)}"
    return safe_line(title), verdict(answer)


def is_failure(answer: Explanation) -> bool:
    """Whether the stanza is known not to have reached its receiver, or its server."""
    return answer.outcome not in ("delivered", "taken") and answer.reason != FOREIGN_SERVER.code


def _age(answer: Explanation, now_utc: datetime) -> str:
    """How long ago it was: the newest stanza in the journal may not be the one that is asked about."""
    return f"{(now_utc - datetime.fromisoformat(answer.at)).total_seconds():.0f} s ago"


def verdict(answer: Explanation) -> str:
    """What became of the stanza, and where."""
    where = "in the router" if answer.where == "router" else f"at {answer.where}"
    where = "by its server" if answer.outcome == "taken" and answer.where == "router" else where
    code = f" ({answer.reason})" if answer.reason else ""
    took = f" after {answer.decisions[-1].offset_ms:.2f} ms"
    if answer.reason == FOREIGN_SERVER.code:
        return safe_line(f"it was sent to a server of another kind{code}")
    words = "waits" if answer.outcome == "waits" else f"was {answer.outcome}"
    return safe_line(f"it {words} {where}{took if answer.outcome == 'delivered' else ''}{code}")


def _line(each: Decision, width: int, mark: Mark) -> str:
    usual = "less" if each.usual_ms is None else f"{each.usual_ms:.2f} ms"
    late = f", late: {usual} as a rule" if each.is_late else ""
    text = safe_line(f"  {each.node:<{width}} +{each.offset_ms:.2f} ms (Δ {each.delta_ms:.2f} ms{late}) {each.what}")
    return mark(text) if each.is_late else text
