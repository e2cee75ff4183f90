"""The generated parts of the documentation say what the code says; `make docs` writes them."""

from __future__ import annotations

import runpy

import pytest

from tests.live.running_lab import ROOT

GENERATE = runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.mark.parametrize("name", sorted(GENERATE["SCHEMAS"]))
def test_a_schema_is_fresh(name: str) -> None:
    made = GENERATE["SCHEMAS"][name]()
    assert (ROOT / "docs" / name).read_text() == GENERATE["schema"].text(made), "run `make docs`"


@pytest.mark.parametrize("name", sorted(GENERATE["PARTS"]))
def test_a_page_is_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == GENERATE["page"](name), "run `make docs`"
