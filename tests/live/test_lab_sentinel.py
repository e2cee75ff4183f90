"""A whole lab whose Redis is watched by Sentinels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.lab.folder import LABS
from cluster.lab.wait import wait_until
from cluster.redisio.keys import Keys
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, RunningLab
from tests.valkey_sentinel import ValkeySentinel

pytestmark = pytest.mark.live
TOPOLOGY = ROOT / "topologies" / "rfc3920.yaml"


@pytest.fixture
def lab(tmp_path: Path, own_sentinel: ValkeySentinel) -> Iterator[RunningLab]:
    """The figure of RFC 3920."""
    lab = RunningLab(tmp_path, TOPOLOGY)
    lab.command("up", str(TOPOLOGY), "-d", "--redis", own_sentinel.url)
    yield lab
    if (tmp_path / LABS).exists():
        lab.down()


def test_when_the_master_is_killed_the_lab_goes_on_at_its_replica(
    lab: RunningLab, own_sentinel: ValkeySentinel
) -> None:
    with lab.client("juliet@capulet.lit/balcony") as juliet, lab.client("romeo@montague.lit/pda") as romeo:
        for client in (juliet, romeo):
            client.see("session")
        romeo.do("message", to="juliet@capulet.lit/balcony", body="before")
        juliet.see("message", body="before")
        own_sentinel.kill_master()
        for number in range(20):
            romeo.do("message", to="juliet@capulet.lit/balcony", body=str(number))
        assert [juliet.see("message")["body"] for _ in range(20)] == [str(number) for number in range(20)]
        assert romeo.unseen("message") == []
    assert wait_until(own_sentinel.has_failed_over, PATIENCE_S)
    assert "in the inbox" in lab.command("trace", "romeo@montague.lit", "+393331234567@sms.montague.lit")
    for node in ("g1", "s2"):
        lab.command("restart", node)  # it logs in at the new master, and says there that it is ready
    assert {node["state"] for node in lab.ps()["nodes"]} == {"running"}
    assert "in the inbox" in lab.command("trace", "juliet@capulet.lit", "+393331234567@sms.montague.lit")
    lab.down()
    assert own_sentinel.admin.keys(f"{Keys.of_lab('rfc3920').prefix}:*") == []
    assert own_sentinel.admin.acl_users() == ["default"]
