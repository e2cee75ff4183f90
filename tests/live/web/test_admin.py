"""Accounts and all else that is administered on the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.live.web.browser import Visit

pytestmark = pytest.mark.live
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"


def test_an_account_is_created_used_and_removed(page: Visit) -> None:
    accounts = page.part("Accounts")
    page.page.get_by_label("new account").fill("paris@capulet.lit")
    accounts.get_by_label("password", exact=True).fill("secret")
    page.button("Create").click()
    expect(accounts.locator(".outcome")).to_contain_text("xmpplab user add paris@capulet.lit")
    page.button("Chat as paris@capulet.lit").click()
    expect(page.page.locator("#chat > .outcome")).to_contain_text("the topology has no password for paris@capulet.lit")
    page.page.get_by_label("password", exact=True).first.fill("secret")
    page.button("Open", exact=True).click()
    expect(page.pane("paris@capulet.lit")).to_be_visible()
    expect(page.button("paris, online at s2")).to_be_visible()  # on the map, although the topology does not name him
    page.part("Accounts")
    page.button("Change paris@capulet.lit").click()
    page.button("End the session of paris@capulet.lit").click()
    expect(accounts.locator(".outcome")).to_contain_text("xmpplab user disconnect paris@capulet.lit/chat-")
    page.tab("Chat")
    expect(page.said("paris@capulet.lit")).to_contain_text("connected again")
    page.button("Close paris@capulet.lit").click()
    page.part("Accounts")
    page.button("Delete paris@capulet.lit and all its data").click()
    expect(page.button("Change paris@capulet.lit")).to_have_count(0)
    page.page.get_by_label("new account").fill("paris@nowhere.example")
    accounts.get_by_label("password", exact=True).fill("secret")
    page.button("Create").click()
    expect(accounts.locator(".outcome .bad")).to_contain_text("no server of this lab serves 'nowhere.example'")


def test_contacts_are_seen_added_and_removed(page: Visit) -> None:
    accounts = page.part("Accounts")
    page.button(f"Change {ROMEO}").click()
    contacts = page.page.get_by_label(f"Contacts of {ROMEO}")
    expect(contacts).to_contain_text(f"{JULIET} Juliet, subscription both, Verona")
    accounts.get_by_label("contact", exact=True).fill("nobody@capulet.lit")
    page.button("Add the contact").click()
    expect(contacts).to_contain_text("nobody@capulet.lit subscription none")
    expect(accounts.locator(".outcome")).to_contain_text(
        "xmpplab user roster romeo@montague.lit --add nobody@capulet.lit"
    )
    page.button("Remove the contact nobody@capulet.lit").click()
    expect(contacts).not_to_contain_text("nobody@capulet.lit")
    expect(contacts).to_contain_text(JULIET)


def test_a_message_is_found_in_the_archives_of_both(page: Visit) -> None:
    page.button("Chat as romeo").click()
    page.say(ROMEO, "Arise, fair sun")
    expect(page.said(JULIET)).to_contain_text("Arise, fair sun")
    archives = page.part("Archives")
    archives.get_by_label("text", exact=True).fill("FAIR sun")
    page.button("Search", exact=True).click()
    found = page.page.get_by_label("Messages that were found")
    for who in (ROMEO, JULIET):
        expect(found).to_contain_text(f"in the archive of {who}")
    expect(found.locator("b").first).to_have_text("Arise, fair sun")
    expect(archives.locator(".outcome")).to_contain_text("xmpplab search 'FAIR sun'")
    archives.get_by_label("text", exact=True).fill("fair moon")
    page.button("Search", exact=True).click()
    expect(found).to_have_text("no message has this text")
    for who in (ROMEO, JULIET):
        page.tab("Chat")
        page.button(f"Close {who}").click()


def test_what_is_to_be_seen_of_a_lab(page: Visit) -> None:
    overview = page.part("Overview")
    expect(overview.locator("table").first).to_contain_text("montague.lit")
    services = page.part("Services")
    expect(services).to_contain_text("sms.montague.lit")
    expect(services).to_contain_text("connected")
    certificates = page.part("Certificates")
    expect(certificates).to_contain_text("Clients have to trust")
    expect(certificates.locator("table")).to_contain_text("montague.lit, sms.montague.lit")
    logs = page.part("Logs")
    logs.get_by_label("with the text").fill("serves capulet.lit")
    page.button("Look again").last.click()
    lines = page.page.get_by_label("Log of the lab")
    expect(lines).to_contain_text("s2 Serves capulet.lit")
    expect(lines).not_to_contain_text("montague.lit")
    settings = page.part("Settings")
    expect(settings).to_contain_text("domain: montague.lit")
    expect(settings).to_contain_text("password: …")
    page.part("Overview")
    page.button("s2", overview, exact=True).click()
    expect(page.page.get_by_label("Log of s2")).to_be_visible()
