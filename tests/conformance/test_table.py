"""docs/conformance.md says what the tests say."""

from __future__ import annotations

from tests.conformance.report import DOCUMENT, conformance_tests, document, name_of, rows
from tests.conformance.verdicts import VERDICTS


def test_the_table_is_fresh() -> None:
    assert DOCUMENT.read_text() == document(), "run `make docs-conformance`"


def test_every_test_proves_a_rule() -> None:
    named = {row.test for row in rows()}
    assert {name_of(test) for test in conformance_tests()} == named - {""}


def test_every_verdict_is_of_a_test() -> None:
    tests = {name_of(test) for test in conformance_tests()}
    assert {f"`{file}::{name}`" for file, verdicts in VERDICTS.items() for name in verdicts} <= tests
