"""A domain of two nodes is restarted, one node after the other, while its users write to each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live
SCENARIO = """\
name: rolling
flows:
  - {from: romeo@montague.lit, to: juliet@capulet.lit, rate: 100, duration: 12s}
  - {from: juliet@capulet.lit, to: romeo@montague.lit, rate: 100, duration: 12s}
steps:
  - {at: 1s, restart: s1}
  - {at: 6s, restart: s1-2}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    lab = RunningLab(tmp_path_factory.mktemp("nodes"), ROOT / "topologies" / "nodes.yaml")
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


def test_nothing_is_lost_and_nothing_overtakes(lab: RunningLab, tmp_path: Path) -> None:
    (tmp_path / "rolling.yaml").write_text(SCENARIO)
    assert "all promises were kept" in lab.command("verify", str(tmp_path / "rolling.yaml"), "--lab", "nodes")


def test_the_command_restarts_the_nodes_of_a_domain_in_turn(lab: RunningLab) -> None:
    before = {node["name"]: node["pid"] for node in lab.ps()["nodes"]}
    said = lab.command("restart", "montague.lit")
    assert said == "s1 stopped; restarted and ready\ns1-2 stopped; restarted and ready\n"
    after = {node["name"]: node["pid"] for node in lab.ps()["nodes"]}
    assert {name for name in after if after[name] != before[name]} == {"s1", "s1-2"}
