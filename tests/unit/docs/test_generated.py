"""The generated parts of the documentation say what the code says; `make docs` writes them."""

from __future__ import annotations

import pytest

from cluster.topology import schema
from docs import generate
from tests.live.running_lab import ROOT


@pytest.mark.parametrize("name", sorted(generate.SCHEMAS))
def test_a_schema_is_fresh(name: str) -> None:
    made = generate.SCHEMAS[name]()
    assert (ROOT / "docs" / name).read_text() == schema.text(made), "run `make docs`"


@pytest.mark.parametrize("name", sorted(generate.PARTS))
def test_a_page_is_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == generate.page(name), "run `make docs`"
