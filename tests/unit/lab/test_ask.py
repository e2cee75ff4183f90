"""Commands that look at a lab whose Redis hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.base.request import Status
from cluster.lab import overview
from cluster.lab.control import ask
from cluster.lab.errors import LabError
from cluster.lab.folder import ADMIN, LabFolder
from tests.harness import PATIENCE_S, Valkey
from tests.unit.lab.plan import make_plan


@pytest.mark.timeout(PATIENCE_S)
def test_a_glance_at_a_lab_does_not_wait_for_a_redis_that_hangs(
    own_valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself redis-py would try ten times."""
    plan, folder = make_plan(tmp_path), LabFolder(tmp_path)
    folder.save_secrets({ADMIN: own_valkey.url})
    for module in (ask, overview):
        monkeypatch.setattr(module, "REDIS_PATIENCE_S", 0.2)
    own_valkey.pause()
    with pytest.raises(LabError, match="Timeout"):
        ask.ask_all(folder, plan, plan.ours, Status(), 0.1)
    assert overview.links(folder, plan) == []
