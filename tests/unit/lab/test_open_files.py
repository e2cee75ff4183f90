from __future__ import annotations

import resource
from pathlib import Path

import pytest

from cluster.lab.errors import LabError
from cluster.lab.provision.open_files import OTHERS, check_open_files, needed
from cluster.topology.sharing import shared
from tests.unit.lab.plan import make_plan


def allow(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (0, hard))


def test_what_servers_open_counts_in_the_process_that_they_share(tmp_path: Path) -> None:
    each = 3 + 2  # its ports, and its connections to Redis
    assert needed(make_plan(tmp_path)) == {
        "s1": each + OTHERS, "s2": each + OTHERS, "the supervisor": 10 + OTHERS, "redis": 4 + OTHERS
    }  # fmt: skip
    assert needed(shared(make_plan(tmp_path), 1))["s1"] == 2 * each + OTHERS


def test_a_lab_for_which_the_system_allows_too_few_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, limit = shared(make_plan(tmp_path), 1), 5 + 5 + OTHERS - 1
    allow(monkeypatch, limit + 1)
    check_open_files(plan)
    allow(monkeypatch, limit)
    with pytest.raises(
        LabError, match=f"s1 would need {limit + 1} open files .* allows a process {limit}; raise"
    ) as told:
        check_open_files(plan)
    assert "or let fewer servers share a process (`--processes`)" in str(told.value)


def test_no_limit_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, resource.RLIM_INFINITY)
    check_open_files(make_plan(tmp_path))
