"""Stanzas as they pass, and what became of them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.live.web.browser import Visit

pytestmark = pytest.mark.live
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"


def test_two_beside_each_other(page: Visit) -> None:
    """One that arrived, and one that came back."""
    page.button("Chat as romeo").click()
    page.say(ROMEO, "But, soft!")
    expect(page.said(JULIET)).to_contain_text("But, soft!")
    page.pane(ROMEO).get_by_label("to", exact=True).fill("nobody@capulet.lit")
    page.say(ROMEO, "Is it thou?")
    expect(page.said(ROMEO)).to_contain_text("not delivered to nobody@capulet.lit")
    page.tab("Trace")
    page.page.locator("#trace .trace", has_text=f"{ROMEO} → {JULIET}").first.click()
    page.button("Beside another").click()
    expect(page.page.locator("#trace")).to_contain_text("choose the one to show beside")
    page.page.locator("#trace .trace", has_text=f"{ROMEO} → nobody@capulet.lit").first.click()
    answers = page.page.locator("#trace .answer")
    expect(answers).to_have_count(2)
    expect(answers.first.locator(".verdict")).to_contain_text("It was delivered at s2")
    expect(answers.last.locator(".verdict")).to_contain_text("It was bounced at s2.")
    expect(answers.last.locator("svg.sequence .step.bad")).to_have_count(1)
    left, right = (each.bounding_box() for each in answers.all())
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]
    page.button("close this one", answers.first).click()
    expect(answers.locator(".verdict")).to_have_text("It was bounced at s2.")
    page.button("all stanzas").click()
    expect(answers).to_have_count(0)
    for who in (ROMEO, JULIET):
        page.tab("Chat")
        page.button(f"Close {who}").click()
