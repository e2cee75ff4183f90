"""What a rule is, and how a test says which one it proves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

import pytest

Level = Literal["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "defined"]
"""`defined`: the section says what happens without one of the words of RFC 2119."""
Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Rule:
    """One sentence of a standard that a server can break."""

    rfc: str
    section: str
    level: Level
    text: str

    @property
    def key(self) -> str:
        """The rule as one string, for reports that cross between processes."""
        return "\t".join((self.rfc, self.section, self.level, self.text))

    @property
    def order(self) -> tuple[Any, ...]:
        """Where it stands in the standards: chapters by number, appendices after them."""
        parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.section.split(".")]
        return (self.rfc, parts, self.level, self.text)


def rule(rfc: str, section: str, level: Level, text: str) -> Callable[[Test], Test]:
    """Declare what the test proves. A test may prove several rules."""
    declared = Rule(rfc, section, level, text)

    def declare(test: Test) -> Test:
        return pytest.mark.rule(declared)(test)

    return declare


core = partial(rule, "RFC 6120")
im = partial(rule, "RFC 6121")
muc = partial(rule, "XEP-0045")
rsm = partial(rule, "XEP-0059")
pubsub = partial(rule, "XEP-0060")
pep = partial(rule, "XEP-0163")
external = partial(rule, "XEP-0178")
sm = partial(rule, "XEP-0198")
dialback = partial(rule, "XEP-0220")
bidi = partial(rule, "XEP-0288")
preferences = partial(rule, "XEP-0441")
limits = partial(rule, "XEP-0478")


def not_kept(reason: str) -> pytest.MarkDecorator:
    """Our server breaks this rule; the reason is shown in the table. A rule that is kept again fails the suite."""
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)
