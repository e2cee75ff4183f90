"""What is done to nodes, links and networks on the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.live.running_lab import ROOT, XMPPLAB, RunningLab
from tests.live.web.browser import Visit, visit
from tests.live.web.served import Served

pytestmark = pytest.mark.live


def test_a_node_is_paused_killed_and_restarted(page: Visit) -> None:
    node = page.page.get_by_label(re.compile("^s2.*server"))
    node.click()
    expect(page.page.get_by_label("Log of s2")).to_contain_text("Serves capulet.lit")
    expect(page.page.locator("#lab dl")).to_contain_text("sessions")
    page.button("Pause", exact=True).click()
    expect(node).to_contain_text("paused")
    expect(page.page.locator("#lab .outcome")).to_contain_text("xmpplab pause s2")
    page.button("Resume", exact=True).click()
    expect(node).not_to_contain_text("paused")
    page.button("Kill", exact=True).click()
    expect(page.page.locator("#lab .outcome")).to_contain_text("restarted and ready")
    expect(page.page.locator("#lab dl")).to_contain_text("signal SIGKILL")
    page.page.get_by_label("down for").fill("soon")
    page.button("Kill", exact=True).click()
    expect(page.page.locator("#lab .outcome .bad")).to_contain_text("'soon' is not allowed here")


def test_a_node_dies_while_its_panel_is_open(page: Visit) -> None:
    """And what is asked of it meanwhile is answered in words."""
    page.page.get_by_label(re.compile("^s2.*server")).click()
    page.page.get_by_label("down for").fill("3s")
    page.button("Kill", exact=True).click()
    state = page.page.locator("#lab dl dd").first
    expect(state).not_to_have_text("running")
    expect(page.button("Pause", exact=True)).to_be_disabled()
    page.button("Look again", page.page.locator("#lab"), exact=True).click()
    expect(page.page.get_by_label("Clients of capulet.lit")).to_contain_text(re.compile("did not answer|nobody"))
    expect(state).to_have_text("running")
    expect(page.button("Pause", exact=True)).to_be_enabled()


def test_a_network_is_broken_and_mended(page: Visit) -> None:
    page.button("fn1 · smsc, smsc, running").click()
    page.button("Refuse connections").click()
    expect(page.page.locator("#lab .outcome")).to_contain_text("xmpplab network set fn1 --down")
    expect(page.page.locator("#lab dl")).to_contain_text("down true")
    page.button("Clear its faults").click()
    expect(page.page.locator("#lab dl")).not_to_contain_text("down true")


def test_a_phone_is_switched_off(page: Visit, make_lab: Served) -> None:
    lab = RunningLab(make_lab.folder, ROOT / "topologies" / "rfc3920.yaml")
    expect(page.button("fc1 +393331234567, online at fn1")).to_be_visible()
    lab.command("phone", "fc1", "off")
    expect(page.button("fc1 +393331234567, offline")).to_be_visible()
    lab.command("phone", "fc1", "on")
    expect(page.button("fc1 +393331234567, online at fn1")).to_be_visible()


def test_a_domain_gets_more_nodes_and_less(browser: Browser, tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "two-domains.yaml")
    lab.up()
    served = Served(tmp_path, XMPPLAB, "web")
    try:
        with visit(browser, served.address) as page:
            juliet = page.button("juliet, offline")
            expect(juliet).to_be_visible()
            page.page.get_by_label(re.compile("^s2,")).click()
            page.page.get_by_label("nodes of capulet.lit").fill("2")
            page.button("Scale").click()
            expect(page.page.locator("#lab .outcome")).to_contain_text("xmpplab scale s2=2")
            second = page.page.get_by_label("s2-2, server, running")
            expect(second).to_be_visible()
            second.click()
            expect(page.page.get_by_label("Log of s2-2")).to_contain_text("Serves capulet.lit")
            page.page.get_by_label("nodes of capulet.lit").fill("1")
            page.button("Scale").click()  # the node goes away while its panel is open
            expect(second).to_have_count(0)
            expect(page.page.locator("#lab .outcome")).to_contain_text("s2-2 is not running in this lab")
            page.tab("Lab")
            page.button("Chat as romeo").click()
            expect(page.button("juliet, online at s2")).to_be_visible()
    finally:
        served.interrupt()
        lab.down()


def test_what_is_done_to_one_of_several_servers_in_a_process(browser: Browser, tmp_path: Path) -> None:
    """It happens to the others too, and the page says so before and after."""
    lab = RunningLab(tmp_path, ROOT / "topologies" / "verona.yaml")
    lab.command("up", str(lab.topology), "-d", "--processes", "1")
    served = Served(tmp_path, XMPPLAB, "web")
    try:
        with visit(browser, served.address) as page:
            page.page.get_by_label(re.compile("^s2,")).click()
            expect(page.page.locator("#lab dl")).to_contain_text("shares its process with")
            expect(page.page.locator("#lab dl")).to_contain_text("s1, s3")
            page.button("Kill", exact=True).click()
            expect(page.page.locator("#lab .outcome")).to_contain_text("and with it s1, s3, in the same process")
    finally:
        served.interrupt()
        lab.down()
