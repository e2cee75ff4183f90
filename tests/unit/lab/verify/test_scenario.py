"""Scenario files: what may be written, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.cli.common import is_scenario
from cluster.lab.plans import read_plans
from cluster.lab.verify.promises import Promises
from cluster.lab.verify.read import as_it_is, lasting, read
from cluster.lab.verify.scenario import Flow
from cluster.topology.problem import TopologyError
from tests.live.running_lab import ROOT
from tests.unit.lab.verify.scenario_files import ACTION_KEYS, FLOW, FLOW_KEYS, TOPOLOGY, Load, problems


def test_the_smallest_file_gets_every_default(load: Load) -> None:
    scenario = load("name: tiny\n" + FLOW).scenario
    assert scenario.flows == [Flow.model_validate({"from": "romeo@montague.lit", "to": "juliet@capulet.lit"})]
    flow = scenario.flows[0]
    assert (flow.rate, flow.duration, flow.size) == (1000.0, 10.0, 300)
    assert scenario.promises == Promises()
    assert (scenario.steps, scenario.topology, scenario.follow) == ([], None, "all")


def test_the_nodes_that_need_a_process_of_their_own_are_those_that_a_step_may_break(load: Load) -> None:
    scenario = load(
        "name: tiny\n"
        + FLOW
        + """
steps:
  - {at: 1s, kill: s2}
  - {at: 1s, cut: juliet@capulet.lit}
  - {at: 1s, partition: [s1, s2], for: 1s}
  - {at: 2s, choose: [{restart: redis}, {pause: s1, for: 1s}]}
"""
    ).scenario
    assert scenario.broken_nodes == {"s1", "s2", "redis"}


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
          - {at: 6s, kill: redis}
          - {at: 3s, restart: s1}
          - {at: 3s, pause: s1, for: 5s}
          - {at: 3s, cut: juliet@capulet.lit}
          - {at: 3s, partition: [s1, s2], for: 2s}
          - {at: 3s, fault: {from: s1, to: s2, loss: 1%, delay: 40ms}}
        promises:
          {lost: 1, lost_by_fault: 0, bounced: any, altered: 5, misdelivered: 6, out_of_order: 2, duplicated: 3,
           duplicated_same_id: 4, longest_gap: 10s, memory_growth: 12.5%}
        expect: [lost, longest_gap]
        seed: 7
        follow: sampled
    """)
    assert file.topology == file.path.parent / "lab.yaml"
    scenario = file.scenario
    assert [flow.rate for flow in scenario.flows] == [0.5, None]
    assert scenario.flows[0].from_ == "romeo@montague.lit"
    assert [(step.at, step.action, step.target, step.for_) for step in scenario.steps] == [
        (3.0, "kill", "s2", 1.5),
        (6.0, "kill", "redis", 0.0),
        (3.0, "restart", "s1", 0.0),
        (3.0, "pause", "s1", 5.0),
        (3.0, "cut", "juliet@capulet.lit", 0.0),
        (3.0, "partition", "s1 and s2", 2.0),
        (3.0, "fault", "delay 40ms, loss 1% on s1 → s2", 0.0),
    ]
    assert scenario.promises.model_dump() == {
        "lost": 1, "lost_by_fault": 0, "bounced": None, "altered": 5, "misdelivered": 6, "out_of_order": 2,
        "duplicated": 3, "duplicated_same_id": 4, "longest_gap": 10.0, "memory_growth": 0.125,
    }  # fmt: skip
    assert (scenario.expect, scenario.seed) == (["lost", "longest_gap"], 7)
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
        "1:7: name: 'Bad' is not a valid name; allowed: lowercase letters, digits and '-', a letter first, at most 63",
        "3:5: flows[0].to: the key 'to' is missing; write `from` and `to`, or `room`",
        "3:38: flows[0].rate: 0 is not a rate; write stanzas per second, such as 1000, or max",
        "3:51: flows[0].duration: 10 is not allowed here; write a time such as 40ms, 1.5s, 2m or 1h, at most 168h",
        "3:55: flows[0].colour: unknown key; allowed: " + FLOW_KEYS,
        "5:5: steps[0]: a step does one thing; write `at` and one of: " + ACTION_KEYS,
        "6:5: steps[1]: a step does one thing; write `at` and one of: " + ACTION_KEYS,
        "7:5: steps[2]: `pause` needs a duration; add `for`, such as `for: 5s`",
        "8:5: steps[3]: a restart has no duration; leave `for` out, or use `kill`",
        "9:18: promises.lost: -1 is not a limit; write a maximum, such as 0, or any",
        "9:37: promises.memory_growth: 20 is not allowed here; write a share from 0% to 100%, such as 1% or 0.5%, "
        "or any",
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
        "3:36: flows[0].to: no account 'julia@capulet.lit'; did you mean 'juliet@capulet.lit'? "
        "allowed: romeo@montague.lit, juliet@capulet.lit",
        "5:20: steps[0].kill: no node 's3'; allowed: s1, s2, redis",
        "6:19: steps[1].cut: no account in `flows` 'benvolio@montague.lit'; did you mean "
        "'romeo@montague.lit'? allowed: julia@capulet.lit, romeo@montague.lit",
        "7:30: steps[2].partition[1]: no server 's4'; allowed: s1, s2",
        "8:21: steps[3].fault: no server 's5'; allowed: s1, s2",
        "9:21: steps[4].fault: this link has no fault; write one of: "
        "delay, duplicate, jitter, loss, down, rate, reorder",
    ]


def test_another_duration(load: Load) -> None:
    path = load("name: tiny\n" + FLOW).path
    assert [flow.duration for flow in read(path, 2.5).scenario.flows] == [2.5]


def test_kinds_of_flows(load: Load) -> None:
    assert problems(
        load,
        """\
        name: kinds
        flows:
          - {from: romeo@montague.lit, to: juliet@capulet.lit, kind: iq, archive: true}
          - {from: romeo@montague.lit, to: juliet@capulet.lit, rate: max, online: false}
          - {from: romeo@montague.lit/pda, to: juliet@capulet.lit}
    """,
    ) == [
        "3:5: flows[0]: `archive` is for messages; leave it out, or leave `kind` out",
        "4:5: flows[1]: `rate: max` waits for arrivals, but the receiver is offline; write a number",
        "5:12: flows[2].from: 'romeo@montague.lit/pda' is not an end of a flow; write an account, or the name of a "
        "phone or mailbox",
    ]


def test_who_is_away_gets_no_more_than_is_kept_for_one_account(load: Load) -> None:
    assert problems(
        load,
        """\
        name: away
        flows:
          - {from: romeo@montague.lit, to: juliet@capulet.lit, rate: 200, online: false}
          - {from: romeo@montague.lit, to: juliet@capulet.lit, kind: iq, rate: 1}
    """,
    ) == [
        "3:62: flows[0].rate: 2,000 messages are too many: s2 keeps 1,000 for one account (`offline_messages`); send "
        "fewer",
        "3:75: flows[0].online: juliet@capulet.lit is the receiver of another flow with sessions; choose another "
        "receiver",
    ]


def test_phones_and_mailboxes_are_ends(load: Load) -> None:
    plan = read_plans(ROOT / "topologies" / "gateways.yaml", Path("/nowhere"))[0]
    load("""
        name: gateways
        flows:
          - {from: romeo@montague.lit, to: fc1, rate: 1}
          - {from: '+393331234562', to: romeo@montague.lit, rate: 1}
          - {from: romeo@montague.lit, to: friar@abbey.example, rate: 1}
    """).check(plan)
    with pytest.raises(TopologyError) as caught:
        load("""
            name: gateways
            flows:
              - {from: fc1, to: fc6}
              - {from: romeo@montague.lit, to: fc9}
              - {from: romeo@montague.lit, to: fc1, archive: true}
        """).check(plan)
    assert [str(error).partition(": flows")[2].partition(";")[0] for error in caught.value.errors] == [
        "[0]: one end of a flow must be an account",
        "[1].to: no phone or mailbox 'fc9'",
        "[2]: fc1 only has text messages",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("{name: x, flows: []}", True), ("{name: x, servers: {}}", False), ("flows", False), ("{", False)],
)
def test_what_is_a_scenario(tmp_path: Path, text: str, expected: bool) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    assert is_scenario(file) == expected


def test_a_lab_as_it_is() -> None:
    flows = as_it_is(read_plans(TOPOLOGY, Path("/nowhere"))[0]).flows
    there = ("romeo@montague.lit", "juliet@capulet.lit")
    assert [((flow.from_, flow.to), flow.kind) for flow in flows] == [
        (ends, kind) for ends in (there, there[::-1]) for kind in ("message", "presence", "iq")
    ]


def test_a_lab_as_it_is_for_another_time() -> None:
    scenario = as_it_is(read_plans(TOPOLOGY, Path("/nowhere"))[0])
    assert (scenario.duration_s, lasting(scenario, 2.0).duration_s, lasting(scenario, None).duration_s) == (5, 2, 5)


@pytest.mark.parametrize("path", sorted((ROOT / "topologies" / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_scenarios_there_are(path: Path) -> None:
    file = read(path, None)
    assert file.scenario.name == path.stem
    assert file.topology is not None
    file.check(read_plans(file.topology, Path("/nowhere"))[0])
