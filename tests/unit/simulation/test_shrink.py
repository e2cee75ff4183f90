"""`xmpplab simulate --shrink`: a failing run is cut down to what it needs to fail."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.simulation.in_memory import InMemory
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.shrink import Trials
from cluster.simulation.troubles import Troubles
from cluster.store import archive
from tests.unit.cli.shell import VERONA, Shell, shell
from tests.unit.simulation.test_scenarios import SCENARIOS

__all__ = ["shell"]


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a domain whose node is away is forgotten."""
    start_node = SimulatedLab.start_node

    def forget(lab: SimulatedLab, name: str) -> None:
        assert isinstance(lab.backbone, InMemory)
        network, domain = lab.backbone.network, lab.planned[name].domain
        for from_ in network.peers(domain):
            network.queue(from_, domain).entries.clear()
        start_node(lab, name)

    monkeypatch.setattr(SimulatedLab, "start_node", forget)


def test_the_parts_that_are_needed_are_found() -> None:
    tried: list[list[int]] = []

    def fails(parts: Any) -> bool:
        tried.append([*parts])
        return {3, 11} <= {*parts}

    trials = Trials(lambda text: None, lambda: False)
    assert trials.smallest(range(16), fails) == [3, 11]
    assert tried[0] == [], "often nothing is needed"
    assert len(tried) < 40


def test_what_fails_by_itself_needs_nothing() -> None:
    assert Trials(lambda text: None, lambda: False).smallest(range(9), lambda parts: True) == []


def test_an_interrupt_gives_the_smallest_one_so_far() -> None:
    runs: list[int] = []

    def fails(parts: Any) -> bool:
        runs.append(len(parts))
        return len(parts) >= 4

    found = Trials(lambda text: None, lambda: len(runs) >= 3).smallest(range(16), fails)
    assert 4 <= len(found) < 16


SCENARIO = """
name: three
topology: {topology}
flows:
  - {{from: romeo@montague.lit, to: juliet@capulet.lit, rate: 50, duration: 4s}}
  - {{from: juliet@capulet.lit, to: romeo@montague.lit, rate: 1, duration: 4s}}
steps:
  - {{at: 1s, cut: juliet@capulet.lit}}
  - {{at: 2s, choose: [{{pause: s2, for: 300ms}}, {{pause: s1, for: 300ms}}]}}
  - {{at: 3s, partition: [s1, s2], for: 200ms}}
  - {{at: 3.1s, kill: s2, for: 200ms}}
seed: 5
"""


@pytest.mark.usefixtures("forgetful")
def test_a_scenario_loses_the_steps_and_flows_that_do_not_matter(shell: Shell, tmp_path: Path) -> None:
    file, small = tmp_path / "three.yaml", tmp_path / "small.yaml"
    file.write_text(SCENARIO.format(topology=SCENARIOS.parent / "two-domains.yaml"))
    code, _, err = shell.run("simulate", str(file), "--shrink", str(small))
    assert code == 1
    assert re.search(
        rf"written: {small}, with [12] steps and [12] flows; `xmpplab verify {small}` runs it on a lab", err
    )
    document = yaml.safe_load(small.read_text())
    assert document["steps"][-1] == {"at": "3.1s", "kill": "s2", "for": "200ms"}
    assert len(document["steps"]) <= 2, "with the partition, where the kill alone comes when nothing waits"
    assert shell.run("validate", str(small))[0] == 0
    code, out, _ = shell.run("simulate", str(small))
    assert (code, "BROKEN  lost: " in out) == (1, True), "it replays"


@pytest.mark.usefixtures("forgetful")
def test_people_and_troubles_become_a_scenario_with_its_topology(shell: Shell, tmp_path: Path) -> None:
    small = tmp_path / "small.yaml"
    run = ("--for", "90s", "--people", "8", "--troubles", "8", "--seeds", "1..60")
    code, _, err = shell.run("simulate", VERONA, *run, "--shrink", str(small))
    assert (code, "written: " in err) == (1, True)
    document = yaml.safe_load(small.read_text())
    assert any("kill" in step for step in document["steps"])
    assert len(document["steps"]) <= 3
    assert len({end for flow in document["flows"] for end in (flow["from"], flow["to"])}) < 8
    assert document["topology"] == "small-topology.yaml"
    assert shell.run("validate", str(small))[0] == 0


def test_what_cannot_be_done_to_a_lab_is_named(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Troubles, "_kinds", lambda troubles: [troubles._set_clock])
    monkeypatch.setattr(archive, "_at", lambda message, time_utc_s: message)
    small = tmp_path / "small.yaml"
    run = ("--for", "150s", "--people", "12", "--troubles", "6", "--shrink", str(small))
    code, _, err = shell.run("simulate", VERONA, *run)
    assert code == 1
    document = yaml.safe_load(small.read_text())
    assert document["steps"] == []
    assert document["about"].startswith("Without what only a simulation can do: ")
    assert "the clock of s" in document["about"]
    assert document["about"] in err
    assert shell.run("validate", str(small))[0] == 0


def test_a_folder_that_is_not_there(shell: Shell) -> None:
    code, out, err = shell.run("simulate", VERONA, "--shrink", "/nowhere/small.yaml")
    assert (code, out) == (2, "")
    assert "--shrink: cannot write /nowhere/small.yaml; name a file in a folder that exists" in err


def test_a_folder_is_no_file_for_what_is_shrunk(shell: Shell, tmp_path: Path) -> None:
    code, out, err = shell.run("simulate", VERONA, "--shrink", str(tmp_path))
    assert (code, out) == (2, "")
    assert f"--shrink: cannot write {tmp_path}; name a file" in err


def test_where_no_run_fails_nothing_is_shrunk(shell: Shell, tmp_path: Path) -> None:
    code, _, err = shell.run("simulate", VERONA, "--for", "1m", "--shrink", "small.yaml")
    assert code == 0
    assert "no run failed: small.yaml is not written" in err
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_no_time_proves_nothing(shell: Shell) -> None:
    code, out, err = shell.run("simulate", VERONA, "--for", "0s")
    assert (code, out) == (2, "")
    assert "write a time such as 10m" in err
