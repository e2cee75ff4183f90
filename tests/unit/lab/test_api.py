"""What a lab does by itself, whatever runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cluster.lab.api import BadInput, Lab, LabError, seconds
from cluster.lab.folder import LabFolder
from cluster.lab.logs import LogLine
from cluster.lab.progress import Tell
from cluster.lab.state import NodeAction, NodeState
from cluster.topology.plan import Plan
from tests.unit.lab.plan import make_plan


class Pretended:
    """A driver that runs nothing: what it is told to do shows at the next look."""

    def __init__(self, folder: LabFolder) -> None:
        self._folder = folder
        self.nodes = [NodeState(f"s{pid}", "server", pid, "running", started_utc="1") for pid in (1, 2)]
        self.runs = True
        self.applied: list[Plan] = []

    def up(self, plans: Sequence[Plan], tell: Tell, owner: int | None = None) -> tuple[Plan, bool]:
        self._folder.create()
        self._folder.save_plan(plans[0])
        return plans[0], True

    def down(self, *, keep: bool) -> bool:
        self._folder.remove()
        return self.runs

    def status(self) -> list[NodeState]:
        return [NodeState(**{name: getattr(node, name) for name in node.__struct_fields__}) for node in self.nodes]

    def is_up(self) -> bool:
        return self.runs

    def story(self, node: str | None) -> Pretended:
        return self

    def read(self) -> Iterator[tuple[str, LogLine]]:
        self.runs = False
        yield "s1", LogLine("", "info", "the last words")

    def apply(self, plan: Plan) -> None:
        self.applied.append(plan)

    def act(self, node: NodeState, action: NodeAction, for_s: float) -> None:
        [acted] = [each for each in self.nodes if each.name == node.name]
        acted.state = "paused" if action == "pause" else "running"
        if action in ("kill", "restart"):
            acted.started_utc = f"{acted.started_utc}, and again {for_s:g} s later"


@pytest.fixture
def driver(tmp_path: Path) -> Pretended:
    return Pretended(LabFolder(tmp_path / "verona"))


@pytest.fixture
def lab(driver: Pretended, tmp_path: Path) -> Lab:
    """One that is up, and has this driver."""
    lab = Lab(LabFolder(tmp_path / "verona"), driver)
    assert lab.up([make_plan(lab.path)])
    return lab


def test_actions_return_when_they_show(lab: Lab) -> None:
    lab.act("s1", "pause")
    assert [node.state for node in lab.nodes()] == ["paused", "running"]
    lab.act("s1", "resume")
    lab.act("s2", "kill", 3.0)
    assert lab.node("s2") == NodeState("s2", "server", 2, "running", started_utc="1, and again 3 s later")


def test_an_action_concerns_all_nodes_of_the_process_and_says_so(lab: Lab, driver: Pretended) -> None:
    driver.nodes[1].pid = 1
    act = driver.act

    def both(node: NodeState, action: NodeAction, for_s: float) -> None:
        for each in driver.status():
            act(each, action, for_s)

    driver.act = both
    assert lab.act("s2", "pause") == ["s1"]
    assert lab.act("s2", "resume") == ["s1"]


@pytest.mark.parametrize(
    ("name", "action", "told"),
    [
        ("s9", "kill", r"no node 's9' in this lab \(nodes: s1, s2\)"),
        ("s1", "resume", "cannot resume s1: it is running, not paused"),
    ],
)
def test_an_action_that_makes_no_sense(lab: Lab, name: str, action: NodeAction, told: str) -> None:
    with pytest.raises(LabError, match=told):
        lab.act(name, action)


def test_an_unknown_node_has_no_level_of_the_log(lab: Lab) -> None:
    with pytest.raises(BadInput, match=r"^no node 's9' in this lab \(nodes: s1, s2\)$"):
        lab.set_log_level("debug", "s9")


def test_an_unknown_domain_is_not_restarted(lab: Lab) -> None:
    with pytest.raises(BadInput, match=r"^no domain 'verona\.lit' in this lab \(domains: .*\.lit, .*\.lit\)$"):
        next(lab.roll("verona.lit"))


def test_a_lab_is_scaled_while_it_runs(lab: Lab, driver: Pretended) -> None:
    assert [node.name for node in lab.scale({"s1": 2}).nodes_of("s1")] == ["s1", "s1-2"]
    assert lab.scale({"s1": 1}) == lab.plan  # as it is, so nothing is applied
    assert len(driver.applied) == 1
    with pytest.raises(BadInput, match="s9"):
        lab.scale({"s9": 2})
    driver.runs = False
    with pytest.raises(LabError, match="is down; bring it up"):
        lab.scale({"s1": 2})


def test_no_account_of_a_lab_that_is_down_is_changed(lab: Lab, driver: Pretended) -> None:
    driver.runs = False
    with pytest.raises(LabError, match=r"lab verona is down; bring it up with `xmpplab up verona.yaml -d`"):
        lab.users.add("rosaline@capulet.lit", "secret")
    with pytest.raises(LabError, match=r"^lab verona is down"):
        lab.load_accounts({"capulet.lit": 2})


def test_a_log_is_followed_until_the_lab_is_down(lab: Lab) -> None:
    assert [line.text for _, line in lab.follow(lab.log(), 0.0, until_down=True)] == ["the last words"]


def test_nothing_is_left_of_a_lab_that_was_taken_down(lab: Lab) -> None:
    assert lab.exists
    assert lab.down()
    assert not lab.exists


def test_a_time_is_named_by_what_it_is_for() -> None:
    assert seconds("500ms") == 0.5
    with pytest.raises(BadInput, match="--for: 'x' is not allowed here"):
        seconds("x", "--for")


def test_a_topology_that_can_only_be_simulated_is_not_brought_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.topology.scale.MAX_LAB_NODES", 1)
    with pytest.raises(BadInput, match=r"the lab would have \d+ nodes, .*; at most 1 run at a time"):
        lab.up([make_plan(lab.path)])
