"""Scenario files: what may be written, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from cluster.lab.plans import read_plans
from cluster.lab.verify.read import ScenarioFile, as_it_is, read
from cluster.lab.verify.scenario import Flow, Promises, Step
from cluster.topology.problem import TopologyError
from tests.live.running_lab import ROOT

TOPOLOGY = ROOT / "topologies" / "two-domains.yaml"
FLOW = "flows: [{from: romeo@montague.lit, to: juliet@capulet.lit}]\n"

Load = Callable[[str], ScenarioFile]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> ScenarioFile:
        file = tmp_path / "scenario.yaml"
        file.write_text(dedent(text))
        return read(file, None)

    return load


def problems(load: Load, text: str) -> list[str]:
    """What is wrong, without the name of the file."""
    with pytest.raises(TopologyError) as caught:
        load(text).check(read_plans(TOPOLOGY, Path("/nowhere"))[0])
    return [str(error).partition(":")[2] for error in caught.value.errors]


def test_the_smallest_file_gets_every_default(load: Load) -> None:
    scenario = load("name: tiny\n" + FLOW).scenario
    assert scenario.flows == [Flow.model_validate({"from": "romeo@montague.lit", "to": "juliet@capulet.lit"})]
    flow = scenario.flows[0]
    assert (flow.rate, flow.duration, flow.size) == (1000.0, 10.0, 300)
    assert scenario.promises == Promises()
    assert (scenario.steps, scenario.topology, scenario.follow) == ([], None, "all")


def test_every_key_is_read(load: Load) -> None:
    file = load("""
        name: all-2
        about: Everything
        topology: lab.yaml
        flows:
          - {from: Romeo@montague.lit, to: juliet@capulet.lit, rate: 0.5, duration: 500ms, size: 40}
          - {from: juliet@capulet.lit, to: romeo@montague.lit, rate: max, window: 7}
        steps:
          - {at: 3s, kill: s2, for: 1.5s}
          - {at: 1m, kill: redis}
          - {at: 3s, restart: s1}
          - {at: 3s, pause: s1, for: 5s}
          - {at: 3s, cut: juliet@capulet.lit}
          - {at: 3s, partition: [s1, s2], for: 2s}
          - {at: 3s, fault: {from: s1, to: s2, loss: 1%, delay: 40ms}}
        promises:
          {lost: 1, lost_by_fault: 0, bounced: any, out_of_order: 2, duplicated: 3, duplicated_same_id: 4,
           longest_gap: 10s, memory_growth: 12.5%}
        follow: sampled
    """)
    assert file.topology == file.path.parent / "lab.yaml"
    scenario = file.scenario
    assert [flow.rate for flow in scenario.flows] == [0.5, None]
    assert scenario.flows[0].from_ == "romeo@montague.lit"
    assert [(step.at, step.action, step.target, step.for_) for step in scenario.steps] == [
        (3.0, "kill", "s2", 1.5),
        (60.0, "kill", "redis", 0.0),
        (3.0, "restart", "s1", 0.0),
        (3.0, "pause", "s1", 5.0),
        (3.0, "cut", "juliet@capulet.lit", 0.0),
        (3.0, "partition", "s1 and s2", 2.0),
        (3.0, "fault", "delay 40ms, loss 1% on s1 → s2", 0.0),
    ]
    assert scenario.promises.model_dump() == {
        "lost": 1, "lost_by_fault": 0, "bounced": None, "out_of_order": 2, "duplicated": 3, "duplicated_same_id": 4,
        "longest_gap": 10.0, "memory_growth": 0.125,
    }  # fmt: skip
    file.check(read_plans(TOPOLOGY, Path("/nowhere"))[0])


def test_all_problems_are_told_at_once_with_what_is_allowed(load: Load) -> None:
    assert problems(
        load,
        """\
        name: Bad
        flows:
          - {from: romeo@montague.lit, rate: 0, duration: 10, colour: red}
        steps:
          - {at: 3s}
          - {at: 3s, kill: s1, cut: romeo@montague.lit}
          - {at: 3s, pause: s1}
          - {at: 3s, restart: s1, for: 1s}
        promises: {lost: -1, memory_growth: 20}
    """,
    ) == [
        "1:7: name: 'Bad' is no name; allowed: lowercase letters, digits and '-', a letter first, at most 63",
        "3:5: flows[0].to: the key 'to' is missing; allowed: from, to, rate, duration, size, window",
        "3:38: flows[0].rate: 0 is no rate; write messages a second, such as 1000, or max",
        "3:51: flows[0].duration: 10 does not fit here; write a time such as 40ms, 1.5s or 2m",
        "3:55: flows[0].colour: unknown key; allowed: from, to, rate, duration, size, window",
        "5:5: steps[0]: a step does one thing; write `at` and one of: kill, restart, pause, cut, partition, fault",
        "6:5: steps[1]: a step does one thing; write `at` and one of: kill, restart, pause, cut, partition, fault",
        "7:5: steps[2]: how long is this pause to last? add `for`, such as `for: 5s`",
        "8:5: steps[3]: a restart takes as long as it takes; leave `for` out, or use `kill`",
        "9:18: promises.lost: -1 is no limit; write how many there may be, such as 0, or any",
        "9:37: promises.memory_growth: 20 does not fit here; write a share from 0% to 100%, such as 1% or 0.5%, or any",
    ]


def test_a_scenario_fits_its_lab(load: Load) -> None:
    assert problems(
        load,
        """\
        name: strangers
        flows:
          - {from: romeo@montague.lit, to: julia@capulet.lit}
        steps:
          - {at: 3s, kill: s3}
          - {at: 3s, cut: benvolio@montague.lit}
          - {at: 3s, partition: [s1, s4], for: 1s}
          - {at: 3s, fault: {between: [s2, s5], loss: 1%}}
          - {at: 3s, fault: {between: [s1, s2]}}
    """,
    ) == [
        "3:36: flows[0].to: there is no account 'julia@capulet.lit'; did you mean 'juliet@capulet.lit'? "
        "allowed: romeo@montague.lit, juliet@capulet.lit",
        "5:20: steps[0].kill: there is no node 's3'; allowed: s1, s2, redis",
        "6:19: steps[1].cut: there is no account in `flows` 'benvolio@montague.lit'; did you mean "
        "'romeo@montague.lit'? allowed: julia@capulet.lit, romeo@montague.lit",
        "7:30: steps[2].partition[1]: there is no server 's4'; allowed: s1, s2",
        "8:21: steps[3].fault: there is no server 's5'; allowed: s1, s2",
        "9:21: steps[4].fault: this link has no fault; write one of: "
        "delay, duplicate, jitter, loss, down, rate, reorder",
    ]


def test_another_duration(load: Load) -> None:
    path = load("name: tiny\n" + FLOW).path
    assert [flow.duration for flow in read(path, 2.5).scenario.flows] == [2.5]


def test_a_step_is_one_thing() -> None:
    assert Step.model_validate({"at": "1s", "kill": "s1"}).action == "kill"


def test_a_lab_as_it_is() -> None:
    flows = as_it_is(read_plans(TOPOLOGY, Path("/nowhere"))[0]).flows
    assert [(flow.from_, flow.to) for flow in flows] == [
        ("romeo@montague.lit", "juliet@capulet.lit"),
        ("juliet@capulet.lit", "romeo@montague.lit"),
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "topologies" / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_scenarios_there_are(path: Path) -> None:
    file = read(path, None)
    assert file.scenario.name == path.stem
    assert file.topology is not None
    file.check(read_plans(file.topology, Path("/nowhere"))[0])
