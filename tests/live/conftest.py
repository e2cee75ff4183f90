"""A lab for the tests that need one: brought up once per test process, in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.running_lab import ROOT, RunningLab


@pytest.fixture(scope="session")
def verona(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The default lab, running."""
    lab = RunningLab(tmp_path_factory.mktemp("verona"), ROOT / "topologies" / "verona.yaml")
    lab.up()
    yield lab
    lab.down()
