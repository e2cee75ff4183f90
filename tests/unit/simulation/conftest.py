"""Runs of several seeds are in this process, where a test can change the code."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.simulation.spread.cores", lambda: 1)
