"""A real browser (Debian's Chromium) that looks at the page of a lab, and notes what it should not have to note."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

PATIENCE_MS = 60_000
"""How long something may take to show; only a failing test ever waits so long."""


@contextmanager
def started() -> Iterator[Browser]:
    """The browser; without one, the test is skipped."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium: apt-get install chromium")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


class Visit:
    """One open page."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.problems: list[str] = []
        """What the browser's console has, and requests to elsewhere."""
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self._check(request.url))
        page.goto(address)

    def _note(self, type: str, text: str) -> None:
        if type in ("error", "warning"):
            self.problems.append(f"{type}: {text}")

    def _check(self, url: str) -> None:
        if not url.startswith(self.address.partition("#")[0]):
            self.problems.append(f"a request to {url}")

    def button(self, name: str, within: Locator | None = None, exact: bool = False) -> Locator:
        return (within or self.page).get_by_role("button", name=name, exact=exact)

    def tab(self, name: str) -> None:
        """Go to a view."""
        self.button(name, self.page.get_by_role("navigation", name="Views"), exact=True).click()

    def part(self, name: str) -> Locator:
        """Go to a part of the administration."""
        self.tab("Admin")
        self.button(name, self.page.get_by_role("navigation", name="Parts"), exact=True).click()
        return self.page.locator("#admin > section:not([hidden])")

    def pane(self, who: str) -> Locator:
        """The chat pane of somebody."""
        return self.page.get_by_role("region", name=who, exact=True)

    def say(self, who: str, text: str) -> None:
        """Write a message from a pane, to whom it writes."""
        self.pane(who).get_by_label("text").fill(text)
        self.button("Send", self.pane(who), exact=True).click()

    def said(self, who: str) -> Locator:
        """What somebody sees."""
        return self.page.get_by_label(f"What {who} sees")


@contextmanager
def visit(browser: Browser, address: str, width: int = 1280, scheme: str = "light") -> Iterator[Visit]:
    """The page in a window of its own, which must have noted no problem at the end."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    visit = Visit(context.new_page(), address)
    yield visit
    assert visit.problems == []
    context.close()
