"""The lab over time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.live.running_lab import ROOT, XMPPLAB, RunningLab
from tests.live.web.browser import Visit, visit
from tests.live.web.served import Served

pytestmark = pytest.mark.live
S2, LINK = re.compile("^s2, "), re.compile("^link of s1 and s2")
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"


def test_what_was_done_shows_in_time(page: Visit) -> None:
    """The backlog of a link that is cut, and the mark of the command."""
    page.button("Chat as romeo").click()
    expect(page.said(ROMEO)).to_contain_text("is here")
    link = page.page.get_by_label(re.compile("^link of s1 and s2"))
    link.click()
    page.button("Cut the link").click()
    expect(link).to_contain_text("cut")
    page.tab("Chat")
    page.say(ROMEO, "It is the east")
    expect(link).to_contain_text(re.compile("[1-9] waiting"))
    page.tab("Time")
    waiting = page.page.locator("figure", has_text="Waiting on links")
    expect(waiting).to_contain_text(re.compile("batches [1-9]"))
    expect(waiting.locator(".mark title").last).to_contain_text("fault set s1 s2 --down always --both")
    waiting.get_by_role("img").focus()
    for _ in range(3):
        page.page.keyboard.press("ArrowLeft")  # the values of earlier
    expect(waiting.locator(".values")).to_contain_text(":")
    link.click()
    page.button("Heal the link").click()
    page.tab("Time")
    waiting.get_by_role("img").blur()
    expect(waiting).to_contain_text("batches 0")
    page.tab("Chat")
    for who in (ROMEO, JULIET):
        page.button(f"Close {who}").click()


def disturb(lab: RunningLab) -> None:
    """Cut a link and pause a node, and undo both."""
    lab.wait_for_row(lambda row: row.nodes["s2"].state == "running")
    lab.command("fault", "set", "s1", "s2", "--down", "always")
    lab.command("pause", "s2")
    lab.wait_for_row(lambda row: row.nodes["s2"].state == "paused" and "s1→s2" in row.links)
    lab.command("resume", "s2")
    lab.command("fault", "clear", "s1", "s2")
    lab.wait_for_row(lambda row: row.nodes["s2"].state == "running" and "s1→s2" not in row.links)


def go_back(page: Visit) -> None:
    """To the moment at which it was disturbed."""
    page.tab("Time")
    page.page.locator("#time li", has_text="s2 is paused").get_by_role("button").click()
    expect(page.page.get_by_label(S2)).to_have_attribute("data-state", "paused")
    expect(page.page.get_by_label(LINK)).to_have_text("cut")
    expect(page.page.locator(".then")).to_contain_text("as it was at")


def test_the_map_as_it_was_before_the_page_was_opened(browser: Browser, tmp_path: Path) -> None:
    """And again when the lab is down and its folder is kept."""
    lab = RunningLab(tmp_path, ROOT / "topologies" / "two-domains.yaml")
    lab.up()
    served = None
    try:
        disturb(lab)
        lab.command("trace", "romeo", "juliet")
        served = Served(tmp_path, XMPPLAB, "web")
        with visit(browser, served.address) as page:
            node, link = page.page.get_by_label(S2), page.page.get_by_label(LINK)
            expect(node).to_have_attribute("data-state", "running")
            go_back(page)
            page.page.get_by_label("Moment").focus()
            page.page.keyboard.press("End")
            expect(node).to_have_attribute("data-state", "running")
            page.page.keyboard.press("Home")
            expect(link).not_to_have_text("cut")
            page.button("Back to now").click()
            expect(page.page.locator(".then")).to_be_hidden()
        served.interrupt()
        lab.command("down", "--keep")
        served = Served(tmp_path, XMPPLAB, "web", "--replay", str(lab.folder / ".xmpplab" / lab.name))
        with visit(browser, served.address) as page:
            expect(page.page.get_by_role("alert")).to_contain_text("Time and Trace show what was recorded of it")
            expect(page.page.locator(".then")).to_contain_text("as it was at")  # its last second
            expect(page.page.locator("#lab").filter(has_text="the lab is down", has_not_text="Try it")).to_have_count(1)
            go_back(page)
            page.tab("Trace")
            expect(page.page.locator("#trace")).to_contain_text("nothing that matches was recorded up to this moment")
            page.tab("Time")
            page.page.get_by_label("Moment").focus()
            page.page.keyboard.press("End")
            page.tab("Trace")
            page.page.locator("#trace .trace", has_text=JULIET).first.click()
            expect(page.page.locator("#trace .verdict")).to_contain_text(f"It was delivered at {JULIET}")
    finally:
        if served is not None:
            served.interrupt()
        lab.down()
