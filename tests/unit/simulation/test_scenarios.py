"""Scenarios of `xmpplab verify` in virtual time: the same files, steps, promises and words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cluster.lab.api import BadInput, read_plans
from cluster.lab.verify.read import ScenarioFile, read
from cluster.simulation.api import play
from cluster.simulation.report import Played
from cluster.simulation.router_kind import RouterKind
from cluster.topology.plan import Plan
from tests.live.running_lab import ROOT
from tests.unit.cli.shell import Shell, shell
from tests.unit.simulation.plans import Silent

__all__ = ["shell"]

SCENARIOS = ROOT / "topologies" / "scenarios"
PAGE = ROOT / "docs" / "simulate.md"
SLOWER = 10
"""Rates are divided by this: the verdict does not depend on them."""


def matrix() -> list[str]:
    """The scenarios of `make fault-matrix`."""
    found = re.search(r"^MATRIX := (.*?[^\\])$", (ROOT / "Makefile").read_text(), re.S | re.M)
    assert found is not None
    return found[1].replace("\\", " ").split()


def opened(name: str) -> tuple[ScenarioFile, Plan]:
    file = read(SCENARIOS / f"{name}.yaml", None)
    assert file.topology is not None
    return file, read_plans(file.topology)[0]


def played(name: str, seed: int = 1, router: RouterKind = "memory") -> Played:
    file, plan = opened(name)
    flows = [
        flow.model_copy(update={"rate": None if flow.rate is None else flow.rate / SLOWER})
        for flow in file.scenario.flows
    ]
    scenario = file.scenario.model_copy(update={"flows": flows})
    return play(plan, scenario, seed=seed, progress=Silent(), router=router)


def verdict(name: str) -> str:
    try:
        return _words(played(name))
    except BadInput as error:
        if "add `--router redis`" in str(error):
            return f"{_words(played(name, router='redis'))} with `--router redis`"
        return f"refused: {str(error).splitlines()[1].partition(';')[0].strip()}"


def _words(played: Played) -> str:
    return "; ".join(each.text for each in played.report.failures) or "kept"


@pytest.mark.parametrize("name", matrix())
def test_the_fault_matrix_has_the_verdicts_of_the_live_one(name: str) -> None:
    """On a live lab all are kept (docs/fault-matrix.md); docs/simulate.md says which ones are not simulated."""
    assert f"| `{name}` | {verdict(name)} |" in PAGE.read_text()


def test_the_page_has_no_other_rows() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (?:kept|refused)", PAGE.read_text(), re.M)
    assert sorted(rows) == sorted(matrix())


def test_a_kill_takes_the_time_that_it_takes() -> None:
    report = played("kill-s2").report
    [step] = report.steps
    assert step.what == "kill s2 for 1 s"
    assert 3.0 <= step.at_s < 3.1
    assert step.took_s == pytest.approx(1.0, abs=0.1)
    [broken] = report.breaks
    assert broken.resumed
    assert report.total.sent == report.total.acknowledged == report.total.delivered == 1_000
    assert report.total.longest_gap_s >= 1.0


def test_each_seed_has_moments_of_its_own_and_the_same_seed_the_same() -> None:
    one, again, other = played("kill-s2", 1), played("kill-s2", 1), played("kill-s2", 2)
    assert one.digest == again.digest
    assert one.report == again.report
    assert one.report.steps[0].at_s != other.report.steps[0].at_s


def test_a_promise_that_is_to_be_broken() -> None:
    report = played("checker-loss").report
    assert [each.promise for each in report.broken] == ["lost_by_fault"]
    assert report.failures == []


def test_every_kind_of_flow_is_accounted_for() -> None:
    names = {flow.name.partition(", ")[2].partition(" ")[0] for flow in played("everything").report.flows}
    assert names == {"", "archive", "carbon", "answers"}


def test_a_room_across_domains() -> None:
    report = played("room").report
    assert report.failures == []
    assert report.total.delivered == report.total.sent == 100
    assert any(flow.name.startswith("one order in ") for flow in report.flows)


SCENARIO = """
name: small
topology: {topology}
flows:
  - {{from: romeo@montague.lit, to: juliet@capulet.lit, rate: {rate}, duration: 2s}}
steps:
  - {{at: 1s, {step}}}
promises: {promises}
"""


def written(folder: Path, rate: str = "20", step: str = "kill: s1", promises: str = "{}") -> Path:
    file = folder / "small.yaml"
    topology = ROOT / "topologies" / "two-domains.yaml"
    file.write_text(SCENARIO.format(topology=topology, rate=rate, step=step, promises=promises))
    return file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rate": "max"}, "flow 1: `rate: max` has no end where nothing takes time; write a number"),
        ({"step": "kill: redis"}, "step 1: redis is not simulated; add `--router redis`"),
        ({"promises": "{memory_growth: 10%}"}, "`memory_growth`: all nodes share the memory of one process"),
    ],
)
def test_what_cannot_be_simulated_is_refused_at_once(
    shell: Shell, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    code, out, err = shell.run("simulate", str(written(tmp_path, **change)))
    assert (code, out) == (2, "")
    assert words in err


def test_a_report_in_the_words_of_verify_and_for_programs(shell: Shell, tmp_path: Path) -> None:
    file = str(written(tmp_path))
    code, out, _ = shell.run("simulate", file, "--seed", "7")
    assert code == 0
    assert out.startswith("small (lab two-domains, ")
    assert "  all promises were kept\n" in out
    code, printed, _ = shell.run("simulate", file, "--seed", "7", "--format", "json")
    [report] = json.loads(printed)
    assert (report["seed"], report["total"]["delivered"], report["broken"]) == (7, 40, [])
    code, out, _ = shell.run("simulate", file, "--seeds", "1..3", "--for", "3s")
    assert (code, out) == (0, "runs: 3, with broken promises: 0\n")


def test_people_and_troubles_are_not_for_scenarios(shell: Shell, tmp_path: Path) -> None:
    code, _, err = shell.run("simulate", str(written(tmp_path)), "--troubles", "3")
    assert code == 2
    assert "a scenario has its own flows and steps; leave out --people, --population and --troubles" in err
