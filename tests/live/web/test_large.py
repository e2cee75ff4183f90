"""A lab as large as labs get."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from cluster.lab.api import Lab
from cluster.lab.folder import LabFolder
from cluster.lab.state import NodeState
from tests.harness import ReactorThread
from tests.live.web.browser import visit
from tests.unit.lab.plan import make_plan
from tests.unit.lab.test_api import Pretended
from tests.unit.web.served import served

pytestmark = pytest.mark.live


def test_three_hundred_domains(browser: Browser, tmp_path: Path, reactor_thread: ReactorThread) -> None:
    """As many as a lab may ever have, without their processes: all on the map, and each can be found."""
    driver = Pretended(LabFolder(tmp_path / "many"))
    driver.nodes = [NodeState(f"s{number}", "server", 1, "running", started_utc="1") for number in range(300)]
    lab = Lab(LabFolder(tmp_path / "many"), driver)
    plan = make_plan(lab.path, name="many")
    servers = [
        msgspec.structs.replace(plan.servers[0], name=f"s{number}", domain=f"city{number}.lit", accounts=())
        for number in range(300)
    ]
    lab.up([msgspec.structs.replace(plan, servers=tuple(servers))])
    serving = served(lab, reactor_thread, "the-token")
    with serving as (port, _), visit(browser, f"http://127.0.0.1:{port}/#the-token") as page:
        expect(page.page.locator(".card")).to_have_count(300)
        page.page.get_by_label("Find a domain").fill("city299.lit")
        expect(page.page.locator("[data-found]")).to_have_count(1)
        driver.nodes[7].state = "stopped"
        stopped = page.page.get_by_label(re.compile("^city7.lit.*stopped"))
        expect(stopped).to_be_visible()
        page.tab("Lab")
        expect(page.page.locator("#lab .row").first).to_contain_text("s7")  # what does not run comes first
        expect(page.page.locator("#lab")).to_contain_text("and 240 more: filter")
