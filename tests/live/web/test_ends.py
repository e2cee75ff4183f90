"""A page that may not, or cannot any more, see its lab."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.live.running_lab import ROOT, XMPPLAB, RunningLab
from tests.live.web.browser import visit
from tests.live.web.served import Served

pytestmark = pytest.mark.live


def test_an_address_without_the_token(browser: Browser, make_lab: Served) -> None:
    with visit(browser, make_lab.address.partition("#")[0]) as page:
        expect(page.page.get_by_role("alert")).to_contain_text("open the whole address that `xmpplab web` printed")
        assert all("401" in problem for problem in page.problems)  # the browser tells it on its console
        page.problems.clear()


def test_the_page_of_a_lab_that_goes_down_and_of_a_command_that_ends(browser: Browser, tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "two-domains.yaml")
    lab.up()
    served = Served(tmp_path, XMPPLAB, "web")
    try:
        with visit(browser, served.address) as page:
            expect(page.page.locator("#state")).to_have_text("up")
            lab.down()
            expect(page.page.get_by_role("alert")).to_contain_text("lab two-domains was taken down; bring it up")
            expect(page.page.locator(".card.domain")).to_have_count(2)  # its last state stays
            page.problems.clear()
            assert served.interrupt() == 0
            expect(page.page.get_by_role("alert")).to_contain_text("start `xmpplab web` again")
            page.problems.clear()  # the browser tells on its console that nobody answers
    finally:
        served.interrupt()
    assert "Traceback" not in "".join(served.printed)
