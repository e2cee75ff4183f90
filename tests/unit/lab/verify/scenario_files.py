"""Scenario files that a test writes, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.lab.plans import read_plans
from cluster.lab.verify.read import ScenarioFile
from cluster.topology.problem import TopologyError
from tests.live.running_lab import ROOT

TOPOLOGY = ROOT / "topologies" / "two-domains.yaml"
ACTION_KEYS = "kill, restart, pause, cut, partition, fault, choose"
FLOW_KEYS = "room, occupants, from, to, kind, rate, duration, size, window, online, carbons, archive"
FLOW = "flows: [{from: romeo@montague.lit, to: juliet@capulet.lit}]\n"

Load = Callable[[str], ScenarioFile]


def problems(load: Load, text: str) -> list[str]:
    """What is wrong, without the name of the file."""
    with pytest.raises(TopologyError) as caught:
        load(text).check(read_plans(TOPOLOGY, Path("/nowhere"))[0])
    return [str(error).partition(":")[2] for error in caught.value.errors]
