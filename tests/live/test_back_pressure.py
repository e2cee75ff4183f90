"""A server that hangs: the others go on, and who writes to it is told to wait once its backlog is full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.lab.folder import LABS
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live
MAX_BACKLOG = 20

TOPOLOGY = f"""
name: three
servers: {{s1: {{domain: montague.lit}}, s2: {{domain: capulet.lit}}, s3: {{domain: shakespeare.lit}}}}
accounts: {{romeo@montague.lit: , juliet@capulet.lit: , benvolio@shakespeare.lit: }}
router: {{max_backlog: {MAX_BACKLOG}}}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RunningLab]:
    """Three domains, with little room on their links."""
    topology = tmp_path / "three.yaml"
    topology.write_text(TOPOLOGY)
    lab = RunningLab(tmp_path, topology)
    lab.up()
    yield lab
    if (tmp_path / LABS).exists():
        lab.down()


def link(lab: RunningLab, from_: str, to: str) -> dict[str, Any]:
    return next(link for link in lab.ps()["links"] if (link["from"], link["to"]) == (from_, to))


def test_a_server_that_hangs_holds_up_nobody_else(lab: RunningLab) -> None:
    benvolio = lab.client("benvolio@shakespeare.lit/street")
    juliet, romeo = lab.client("juliet@capulet.lit/balcony"), lab.client("romeo@montague.lit/pda")
    with benvolio, juliet, romeo:
        for client in (benvolio, juliet, romeo):
            client.see("session")
        lab.command("pause", "s3")
        for number in range(MAX_BACKLOG * 2):  # each a batch of its own, since juliet's answer comes in between
            romeo.do("message", to="benvolio@shakespeare.lit/street", body=f"to benvolio {number}")
            romeo.do("message", to="juliet@capulet.lit/balcony", body=f"to juliet {number}")
            assert juliet.see("message")["body"] == f"to juliet {number}"
        romeo.see("message", type="error", condition="remote-server-timeout")
        waiting = link(lab, "s1", "s3")
        assert (waiting["waiting"], waiting["faults"], waiting["lost"]) == (MAX_BACKLOG, {}, 0)
        assert link(lab, "s1", "s2")["waiting"] <= 1
        assert f"s1 → s3  {MAX_BACKLOG}" in lab.command("ps")
        lab.command("resume", "s3")
        arrived = [benvolio.see("message")["body"] for _ in range(MAX_BACKLOG)]
        assert arrived == [f"to benvolio {number}" for number in range(MAX_BACKLOG)]
        assert wait_until(lambda: link(lab, "s1", "s3")["waiting"] == 0, PATIENCE_S)
        romeo.do("message", to="benvolio@shakespeare.lit/street", body="there is room again")
        benvolio.see("message", body="there is room again")
