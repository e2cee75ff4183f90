"""The generated parts of the documentation say what the code says; `make docs` writes them."""

from __future__ import annotations

import runpy

import pytest

from tests.live.running_lab import ROOT

GENERATE = runpy.run_path(str(ROOT / "docs" / "generate.py"))


def test_the_schema_of_scenarios_is_fresh() -> None:
    assert GENERATE["SCENARIO_SCHEMA"].read_text() == GENERATE["schema"].text(GENERATE["scenario_schema"]())


def test_the_schema_of_reports_is_fresh() -> None:
    assert GENERATE["REPORT_SCHEMA"].read_text() == GENERATE["schema"].text(GENERATE["report_schema"]())


def test_the_schema_of_outputs_is_fresh() -> None:
    assert GENERATE["OUTPUT_SCHEMA"].read_text() == GENERATE["schema"].text(GENERATE["output_schema"]())


@pytest.mark.parametrize("name", sorted(GENERATE["PARTS"]))
def test_a_page_is_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == GENERATE["page"](name), "run `make docs`"
