"""The page of a run with trouble, in a browser, and its rows for a notebook."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from cluster.lab.folder import LABS, LabFolder
from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import RunningLab
from tests.live.verify_runs import TOPOLOGY
from tests.live.web.browser import Visit, visit

pytestmark = pytest.mark.live
FLOW = "romeo@montague.lit → juliet@capulet.lit"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run in which S2 was killed: `run.html`, `run.csv`."""
    lab = RunningLab(tmp_path_factory.mktemp("run"), TOPOLOGY)
    lab.command("verify", "kill-s2", "--duration", "6s", "--html", "run.html", "--seconds", "run.csv")
    return lab.folder


@contextmanager
def opened(browser: Browser, file: Path, width: int = 1280, scheme: str = "light") -> Iterator[Visit]:
    with visit(browser, file.as_uri(), width, scheme) as page:
        yield page


def test_the_page_shows_what_the_trouble_did(browser: Browser, run: Path) -> None:
    with opened(browser, run / "run.html") as report:
        page = report.page
        expect(page.locator("h1")).to_have_text("verify kill-s2")
        expect(page.locator("table").first).to_contain_text(FLOW)
        for hop in ("s1", "link s1→s2", "s2"):
            expect(page.get_by_role("cell", name=hop, exact=True)).to_be_visible()
        for title in ("Messages per second", "Time to arrive, 99", "Batches that wait", "Processor", "Memory"):
            chart = page.locator("figure", has_text=title)
            expect(chart.locator("path.series").first).to_have_attribute("d", re.compile("^M.*L"))
            expect(chart.locator(".mark title").first).to_have_text(re.compile("kill s2 --for 1s"))
            expect(chart.locator(".band title").first).to_have_text(
                re.compile("^s2 is (re)?starting$")
            )  # one look a second
        expect(page.locator(".log")).to_contain_text("s2 is running")


def test_the_values_of_a_second_show_at_the_keyboard(browser: Browser, run: Path) -> None:
    with opened(browser, run / "run.html") as report:
        chart = report.page.locator("figure", has_text="Messages per second")
        chart.get_by_role("img").focus()
        for _ in range(30):
            report.page.keyboard.press("ArrowLeft")
        expect(chart.locator(".values")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d.*lit \d+"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_into_a_narrow_window(browser: Browser, run: Path, scheme: str) -> None:
    with opened(browser, run / "run.html", 400, scheme) as report:
        assert report.page.evaluate("document.documentElement.scrollWidth") <= 400


def test_a_row_for_each_second(run: Path) -> None:
    with (run / "run.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["second"]) for row in rows] == list(range(len(rows)))
    assert sum(int(row[f"{FLOW} count"] or 0) for row in rows) == 6_000
    assert any(row["s2 state"] in ("restarting", "starting") for row in rows)
    assert any("kill s2" in row["marks"] for row in rows)
    assert max(int(row["link s1→s2 waiting"] or 0) for row in rows) > 0


def test_the_lab_tells_its_last_minutes(verona: RunningLab) -> None:
    if verona.driver == "docker":
        pytest.skip("labs in containers have no supervisor")
    timeline = LabFolder(verona.folder / LABS / verona.name).timeline

    def hops() -> set[str]:
        assert "written: lab.json" in verona.command("timeline", "lab.json", "--last", "5m")
        return {total["name"] for total in json.loads((verona.folder / "lab.json").read_text())["hops"]}

    assert wait_until(lambda: timeline.exists() and timeline.stat().st_size, PATIENCE_S)  # what comes now is recorded
    verona.command("trace", "romeo@montague.lit", "juliet@capulet.lit", "--count", "2")
    assert wait_until(lambda: {"s1", "link s1→s2", "s2"} <= hops(), PATIENCE_S)
    told = verona.command("timeline", "lab.txt", exit_code=2)
    assert ".html or .csv or .json" in told
