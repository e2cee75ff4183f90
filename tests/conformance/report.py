"""docs/conformance.md, from the declarations of the tests; and which rules each server keeps, from a run of them.

`python -m tests.conformance.report` writes the first, and test_table.py fails where it is not fresh. That what it says
is true follows from the suite: a rule that is listed as kept has a passing test, and one that is listed as not kept has
a test that must fail (strict xfail).
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.rules import Rule
from tests.conformance.untested import UNTESTED
from tests.conformance.verdicts import VERDICTS

ELSEWHERE = ("ports.test_router", "unit.server.test_c2s", "unit.server.test_component", "unit.server.test_presence",
             "unit.server.test_order", "unit.server.test_subscription_table", "unit.modules.test_roster")  # fmt: skip
"""Tests of rules that no client on a socket can see broken: they need a clock, a link or a store of their own."""
DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"
HEAD = """\
# Conformance to RFC 6120, RFC 6121, XEP-0045, 0059, 0060, 0163, 0441; between servers XEP-0178, 0198, 0220, 0288, 0478

Written by `make docs-conformance` from the tests in `tests/conformance/`; a test fails where it is not fresh.
Each row is a rule that a server can break, with the test that proves it: over a real socket, or in `tests/unit` and
`tests/ports` where a clock or a store of the test's own is needed. *Kept*: the test passes.
*Not kept*: the test must fail, so that the row cannot outlive the fault, or there is none. *Does not arise*: it is a
rule of something that these servers do not have.
"""


PEERS_HEAD = """\
# Which rules each server keeps

Written by `make conformance-peers`, which runs the same tests against our servers and against pairs of Prosody and
ejabberd from Debian's packages. Where a section leaves a choice, all of its choices pass. A test that proves several
rules counts against each of them; *by the text* says who is right, from `tests/conformance/verdicts.py`.
The rules are in [conformance.md](conformance.md).
"""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    rule: Rule
    test: str
    state: str
    reason: str = ""

    def __str__(self) -> str:
        state = f"{self.state}: {self.reason}" if self.reason else self.state
        text = self.rule.text.replace("<", "&lt;")
        return f"| {self.rule.section} | {self.rule.level} | {text} | {self.test} | {state} |"


def rows() -> list[Row]:
    """All rules, in the order of the standards."""
    found = [row for test in conformance_tests() for row in _rows_of(test)]
    found += [Row(each.rule, "", each.state, each.reason) for each in UNTESTED]
    doubled = [key for key, count in Counter((row.rule, row.test) for row in found).items() if count > 1]
    assert not doubled, doubled
    return sorted(found, key=lambda row: (row.rule.order, row.test))


def conformance_tests() -> Iterable[Callable[..., Any]]:
    """All tests but those of the table itself."""
    for path in sorted(set(Path(__file__).parent.glob("test_*.py")) - {Path(__file__).with_name("test_table.py")}):
        module = importlib.import_module(f"tests.conformance.{path.stem}")
        yield from (value for name, value in vars(module).items() if name.startswith("test_") and callable(value))
    for name in ELSEWHERE:
        values = vars(importlib.import_module(f"tests.{name}")).values()
        yield from (test for test in values if any(mark.name == "rule" for mark in _marks(test)))


def _rows_of(test: Callable[..., Any]) -> Iterable[Row]:
    marks = _marks(test)
    reasons = [mark.kwargs["reason"] for mark in marks if mark.name == "xfail"]
    state = "**not kept**" if reasons else "kept"
    for mark in marks:
        if mark.name != "parametrize":
            continue
        for case in mark.args[1]:
            for inner in getattr(case, "marks", ()):
                state = "**kept in part**"
                reasons.append(f"not for `{case.id or case.values[0]}`: {inner.kwargs['reason']}")
    return (Row(mark.args[0], name_of(test), state, "; ".join(reasons)) for mark in marks if mark.name == "rule")


def _marks(test: object) -> list[pytest.Mark]:
    return list(getattr(test, "pytestmark", []))


def name_of(test: Callable[..., Any]) -> str:
    """File and function; the folder too where it is another."""
    module = test.__module__.removeprefix("tests.").removeprefix("conformance.").replace(".", "/")
    return f"`{module}::{test.__name__}`"


def document() -> str:
    """The text of docs/conformance.md."""
    all_rows = rows()
    lines = [HEAD, "| | kept | kept in part | not kept | does not arise | rules |", "|---|---|---|---|---|---|"]
    standards = sorted({row.rule.rfc for row in all_rows})
    for rfc in (*standards, "all"):
        chosen = [row for row in all_rows if rfc in (row.rule.rfc, "all")]
        counts = Counter(row.state.strip("*") for row in chosen)
        numbers = [counts[state] for state in ("kept", "kept in part", "not kept", "does not arise")]
        lines.append(f"| {rfc} | {' | '.join(map(str, numbers))} | {len(chosen)} |")
    for rfc in standards:
        lines += ["", f"## {rfc}", "", "| section | level | rule | test | state |", "|---|---|---|---|---|"]
        lines += [str(row) for row in all_rows if row.rule.rfc == rfc]
    return "\n".join(lines) + "\n"


class Outcomes:
    """A pytest plugin that writes which rules each server keeps, and where they differ."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._states: dict[str, dict[str, list[tuple[str, str, str]]]] = {}
        self._failed: dict[str, set[tuple[str, str]]] = {}
        """The tests that a server has failed, by their rules."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One test has run, or could not."""
        if report.when == "call" or report.outcome != "passed":
            case = report.nodeid.rpartition("::")[2]
            server, _, cell = case.partition("[")[2].rstrip("]").partition("-")
            outcome = "failed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
            for name, key in report.user_properties:
                if name == "rule" and server:
                    self._note(str(key), server, (outcome, cell, _why(report)))
                    if outcome == "failed":
                        self._failed.setdefault(str(key), set()).add(_test_of(report.nodeid))

    def _note(self, key: str, server: str, outcome: tuple[str, str, str]) -> None:
        self._states.setdefault(key, {}).setdefault(server, []).append(outcome)

    def pytest_sessionfinish(self) -> None:
        """Write it."""
        servers = sorted({server for states in self._states.values() for server in states})
        lines = [PEERS_HEAD]
        lines += [f"| {' | '.join(('', 'kept', 'in part', 'not kept', 'skipped'))} |", "|---|---|---|---|---|"]
        for server in servers:
            counts = Counter(_verdict(states.get(server, [])) for states in self._states.values())
            numbers = [counts[verdict] for verdict in ("kept", "in part", "not kept", "skipped")]
            lines.append(f"| {server} | {' | '.join(map(str, numbers))} |")
        lines += ["", "Rules that one of them does not keep, with what was seen instead:", ""]
        for key in sorted(self._states, key=lambda key: Rule(*key.split("\t")).order):
            states = self._states[key]
            broken = {s: states[s] for s in servers if _verdict(states.get(s, [])) in ("in part", "not kept")}
            if broken:
                rfc, section, level, text = key.split("\t")
                lines.append(f"- **{rfc} {section}, {level}** {text.replace('<', '&lt;')}")
                lines += [f"  - {server}: {_verdict(seen)}; {_faults(seen)}" for server, seen in broken.items()]
                judged = [
                    VERDICTS.get(f, {}).get(test, f"{test} is not judged") for f, test in sorted(self._failed[key])
                ]
                lines.append(f"  - *by the text*: {'; '.join(judged).replace('<', '&lt;')}")
        self._path.write_text("\n".join(lines) + "\n")


def _test_of(nodeid: str) -> tuple[str, str]:
    """File and function, as in VERDICTS."""
    path, _, case = nodeid.rpartition("::")
    return Path(path).stem, case.partition("[")[0]


def _why(report: pytest.TestReport) -> str:
    if report.outcome == "passed":
        return ""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else getattr(report, "wasxfail", "") or report.longrepr)
    return text.splitlines()[0][:160] if text else ""


def _verdict(seen: list[tuple[str, str, str]]) -> str:
    if not any(each[0] == "failed" for each in seen):
        return "kept" if any(each[0] == "passed" for each in seen) else "skipped"
    return "in part" if any(each[0] == "passed" for each in seen) else "not kept"


def _faults(seen: list[tuple[str, str, str]]) -> str:
    failed = [f"[{cell}] {why}" if cell else why for outcome, cell, why in seen if outcome == "failed"]
    more = f" (and {len(failed) - 4} more)" if len(failed) > 4 else ""
    return "; ".join(f"`{each}`" for each in failed[:4]) + more


if __name__ == "__main__":
    DOCUMENT.write_text(document())
