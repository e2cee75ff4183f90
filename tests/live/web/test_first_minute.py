"""What somebody who never saw XMPP does in the first minute; every view in every window."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.live.web.browser import Visit, visit
from tests.live.web.served import Served

pytestmark = pytest.mark.live
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"


def test_the_first_minute(page: Visit) -> None:
    """A message from Romeo to Juliet, its way on the map, the link cut, why the next one waits, healed."""
    page.button("Chat as romeo").click()
    page.say(ROMEO, "But, soft!")
    expect(page.said(JULIET)).to_contain_text("romeo@montague.lit: But, soft!")
    link = page.page.get_by_label(re.compile("^link of s1 and s2"))
    expect(link).to_contain_text("/s ·")  # its traffic
    page.button("Why?", page.pane(ROMEO)).click()
    expect(page.page.locator(".verdict")).to_have_text(re.compile(r"It was delivered at s2 after [\d.]+ ms\."))
    expect(page.page.locator("svg.sequence .head")).to_contain_text(["s1", "router", "s2"])

    link.click()
    page.button("Cut the link").click()
    expect(page.page.locator("#lab .outcome")).to_contain_text("xmpplab fault set s1 s2 --down always --both")
    expect(link).to_contain_text("cut")

    page.tab("Chat")
    page.say(ROMEO, "What light through yonder window breaks?")
    expect(link).to_have_text("cut · 1 waiting")
    page.button("Why?", page.pane(ROMEO)).last.click()
    expect(page.page.locator(".verdict")).to_have_text("It waits in the router.")
    expect(page.page.locator("#trace dl")).to_contain_text("The link to the other domain is cut.")
    expect(page.page.locator("#trace dl")).to_contain_text("xmpplab fault clear")

    page.tab("Chat")
    expect(page.said(JULIET)).not_to_contain_text("What light")
    page.tab("Lab")
    page.button("Open the link again").click()
    page.button("Heal the link").click()
    page.tab("Chat")
    expect(page.said(JULIET)).to_contain_text("What light through yonder window breaks?")
    expect(link).not_to_contain_text("cut")
    page.tab("Lab")
    expect(page.page.locator("#lab .log")).to_contain_text("xmpplab fault clear s1 s2 --both")
    for who in (ROMEO, JULIET):
        page.tab("Chat")
        page.button(f"Close {who}").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_each_view_fits(browser: Browser, make_lab: Served, tmp_path: Path, width: int, scheme: str) -> None:
    with visit(browser, make_lab.address, width, scheme) as page:
        expect(page.page.locator(".card.domain")).to_have_count(2)
        for view in ("Map", "Lab", "Trace", "Chat", "Time", "Admin")[0 if width == 400 else 1 :]:
            page.tab(view)
            page.page.screenshot(path=tmp_path / f"{view}-{width}-{scheme}.png")
            assert page.page.evaluate("document.documentElement.scrollWidth") <= width
            small = page.page.evaluate(
                "[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && e.textContent.trim() && "
                "parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.outerHTML.slice(0, 80))"
            )
            assert small == []


def test_by_keyboard_alone(page: Visit) -> None:
    expect(page.button("Chat as romeo")).to_be_visible()
    for _ in range(60):
        page.page.keyboard.press("Tab")
        seen = page.page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")
        if seen.startswith("link of s1 and s2"):
            break
    outline = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert (seen.partition(":")[0], outline) == ("link of s1 and s2", "solid")
    page.page.keyboard.press("Enter")
    expect(page.button("Cut the link")).to_be_visible()
