"""The steps of a scenario: when they happen, how often, and what they choose."""

from __future__ import annotations

import pytest

from cluster.lab.verify.read import read
from cluster.lab.verify.timetable import Step, planned
from cluster.topology.problem import TopologyError
from tests.unit.lab.verify.scenario_files import FLOW, Load, problems


def test_a_step_after_the_last_message_is_refused(load: Load) -> None:
    """It would prove nothing."""
    assert problems(load, "name: late\n" + FLOW + "steps: [{at: 10s, kill: s2}, {at: 9s, kill: s2}]") == [
        "3:14: steps[0].at: nothing is sent at 10 s: the flows end after 10 s; "
        "make them longer (`duration`, or the option)",
    ]
    assert problems(load, "name: late\n" + FLOW + "steps: [{at: 1s, kill: s2, every: 3s, times: 4}]") == [
        "3:14: steps[0].at: nothing is sent at 10 s (the last of 4 times): the flows end after 10 s; "
        "make them longer (`duration`, or the option)",
    ]


def test_that_holds_for_another_duration_too(load: Load) -> None:
    path = load("name: soon\n" + FLOW + "steps: [{at: 3s, kill: s2}]").path
    with pytest.raises(TopologyError, match="the flows end after 2 s"):
        read(path, 2.0)


def test_a_step_is_one_thing() -> None:
    assert Step.model_validate({"at": "1s", "kill": "s1"}).action == "kill"


def steps_of(load: Load, text: str, seed: int = 1) -> list[tuple[float, str]]:
    scenario = load("name: steps\n" + FLOW + f"steps: {text}").scenario
    return [(at_s, str(action)) for at_s, action in planned(scenario.steps, seed)]


def test_a_step_may_be_repeated(load: Load) -> None:
    assert steps_of(load, "[{at: 1s, kill: s2, for: 500ms, every: 2s, times: 3}, {at: 2s, pause: s1, for: 1s}]") == [
        (1.0, "kill s2 for 0.5 s"),
        (2.0, "pause s1 for 1 s"),
        (3.0, "kill s2 for 0.5 s"),
        (5.0, "kill s2 for 0.5 s"),
    ]


def test_a_step_may_choose_at_random_and_the_seed_says_what(load: Load) -> None:
    text = "[{at: 1s, choose: [{kill: s1}, {kill: s2, for: 1s}], every: 500ms, times: 16}]"
    first = steps_of(load, text, seed=1)
    assert {what for _, what in first} == {"kill s1", "kill s2 for 1 s"}
    assert first == steps_of(load, text, seed=1)
    assert first != steps_of(load, text, seed=2)


def test_a_further_step_leaves_the_choices_of_the_others(load: Load) -> None:
    text = "{at: 1s, choose: [{kill: s1}, {kill: s2}], every: 500ms, times: 16}"
    alone, beside = steps_of(load, f"[{text}]"), steps_of(load, f"[{text}, {{at: 2.2s, kill: redis}}]")
    assert alone == [step for step in beside if step[1] != "kill redis"]


def test_repetition_and_choice_are_checked(load: Load) -> None:
    assert problems(
        load,
        """\
        name: wrong
        flows: [{from: romeo@montague.lit, to: juliet@capulet.lit}]
        steps:
          - {at: 1s, kill: s1, every: 1s}
          - {at: 1s, kill: s1, choose: [{kill: s1}, {kill: s2}]}
          - {at: 1s, choose: [{kill: s1}, {pause: s2}]}
          - {at: 1s, choose: [{kill: s1}, {kill: s2}], for: 1s}
        expect: [loss]
        promises: {duplicated_same_id: few}
    """,
    ) == [
        "4:5: steps[0]: a step that is repeated needs `every` and `times`, such as `every: 5s, times: 3`",
        "5:5: steps[1]: a step does one thing; write `at` and one of: kill, restart, pause, cut, partition, fault, "
        "choose",
        "6:35: steps[2].choose[1]: `pause` needs a duration; add `for`, such as `for: 5s`",
        "7:5: steps[3]: each choice has a `for` of its own; write it there",
        "8:10: expect[0]: 'loss' is not known; allowed: lost, lost_by_fault, bounced, altered, misdelivered, "
        "out_of_order, duplicated, duplicated_same_id, longest_gap, memory_growth",
        "9:32: promises.duplicated_same_id: 'few' is not a limit; write a maximum, such as 0, or any, or explained",
    ]


def test_what_is_chosen_fits_the_lab(load: Load) -> None:
    assert problems(load, "name: odd\n" + FLOW + "steps: [{at: 1s, choose: [{kill: s1}, {kill: s7}]}]") == [
        "3:46: steps[0].choose[1].kill: no node 's7'; allowed: s1, s2, redis",
    ]
