"""Runs of several seeds are in this process, where a test can change the code."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.simulation.troubles import Troubles


@pytest.fixture(autouse=True)
def _one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.simulation.spread.cores", lambda: 1)


@pytest.fixture
def first_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the later kinds of troubles, with which a seed gives other ones."""
    kinds = Troubles._kinds
    later = ("_lose_power", "_set_clock", "_slow_down_disk", "_slow_down_link")

    def first(troubles: Troubles) -> list[Any]:
        return [each for each in kinds(troubles) if getattr(each, "__name__", "") not in later]

    monkeypatch.setattr(Troubles, "_kinds", first)
