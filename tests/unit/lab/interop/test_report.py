"""The grid as a page and as JUnit XML; and the labs that it is tried in."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from cluster.lab.api import Lab
from cluster.lab.errors import BadInput, LabError
from cluster.lab.interop import report
from cluster.lab.interop.cell import Cell, Way
from cluster.lab.interop.grid import PROOFS, count, kinds_to_try, run, topology
from cluster.lab.interop.scenarios import SCENARIOS
from cluster.lab.plans import read_plans
from cluster.lab.progress import untold

CELLS = [
    Cell(
        here, there, "external", each.name, each.name != "restart", "2 are lost" if each.name == "restart" else "", 1.5
    )
    for here, there in (("prosody", "xmpplab"), ("xmpplab", "prosody"))
    for each in SCENARIOS
]


def test_the_page_has_a_row_for_each_ordered_pair() -> None:
    page = report.updated(f"# Page\n{report.BEGIN}\nold\n{report.END}\nrest", CELLS)
    assert "| prosody → xmpplab | external | ok |" in page
    assert "| xmpplab → prosody | external | ok |" in page
    assert "- prosody → xmpplab, external, restart: 2 are lost" in page
    assert "old" not in page
    assert page.endswith(f"{report.END}\nrest")
    assert report.updated(page, CELLS) == page


def test_a_page_without_a_place_for_it() -> None:
    with pytest.raises(ValueError, match="the grid goes between them"):
        report.updated("# Page", CELLS)


def test_junit_counts_what_failed() -> None:
    suites = ElementTree.fromstring(report.junit(CELLS))
    assert [suite.get("failures") for suite in suites] == ["1", "1"]
    assert [failure.get("message") for failure in suites.iter("failure")] == ["2 are lost"] * 2


@pytest.mark.parametrize("way", PROOFS)
@pytest.mark.parametrize("kind", kinds_to_try())
def test_the_labs_are_valid(tmp_path: Path, kind: str, way: Way) -> None:
    (tmp_path / "lab.yaml").write_text(topology("x", (kind, "xmpplab"), way))
    plan = read_plans(tmp_path / "lab.yaml", tmp_path)[0]
    assert [server.kind for server in plan.servers] == [kind, "xmpplab"]
    assert all(server.s2s_peers for server in plan.servers)


def test_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no kind 'prosodie' of servers to try"):
        next(run(tmp_path, ["prosodie"], ["external"], untold))


def test_a_lab_that_does_not_come_up_fails_its_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def up(self: Lab, *arguments: object, **named: object) -> bool:
        raise LabError("the supervisor stopped; its last log lines:\n    x")

    monkeypatch.setattr(Lab, "up", up)
    monkeypatch.setattr(Lab, "down", lambda self: False)
    ways: list[Way] = ["external", "certificates", "conduct"]
    cells = list(run(tmp_path, ["xmpplab"], ways, untold))
    assert len(cells) == count(["xmpplab"], ways)
    assert {cell.remark for cell in cells} == {"no lab: the supervisor stopped; its last log lines: x"}
    assert not any(cell.ok for cell in cells)
