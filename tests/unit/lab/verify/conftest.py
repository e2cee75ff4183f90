"""Fixtures of the checker's tests."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from cluster.lab.verify.read import ScenarioFile, read
from tests.unit.lab.verify.scenario_files import Load


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Reads a scenario from its text."""

    def load(text: str) -> ScenarioFile:
        file = tmp_path / "scenario.yaml"
        file.write_text(dedent(text))
        return read(file, None)

    return load
