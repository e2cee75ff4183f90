"""Plans of topologies, for simulations."""

from __future__ import annotations

from pathlib import Path

from cluster.lab.api import read_plans
from cluster.topology.plan import Plan
from tests.live.running_lab import ROOT

TWO_NODES = """
name: pair
servers:
  s1: {domain: montague.lit, nodes: 2}
  s2: {domain: capulet.lit}
"""
LOSSY = """
name: lossy
servers:
  s1: {domain: montague.lit}
  s2: {domain: capulet.lit}
links:
  - {between: [s1, s2], loss: 20%, delay: 40ms}
"""


def named(name: str) -> Plan:
    """Of a topology that is included."""
    return read_plans(ROOT / "topologies" / f"{name}.yaml")[0]


def written(text: str, folder: Path) -> Plan:
    """Of this topology."""
    file = folder / "topology.yaml"
    file.write_text(text)
    return read_plans(file)[0]
