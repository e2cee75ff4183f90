"""People of a lab who write to each other on the page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, XMPPLAB, RunningLab
from tests.live.web.browser import Visit, visit
from tests.live.web.served import Served

pytestmark = pytest.mark.live
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"


def test_a_stanza_typed_by_hand(page: Visit) -> None:
    page.tab("Chat")
    page.page.get_by_label("chat as").fill(ROMEO)
    page.button("Open", exact=True).click()
    pane = page.pane(ROMEO)
    page.button("XML", pane).click()
    page.button("Send the stanza", pane).click()
    xml = page.page.get_by_label(f"The XML of {ROMEO}")
    expect(xml).to_contain_text("jabber:iq:version")
    expect(xml).to_contain_text("<name>xmpplab</name>")
    pane.get_by_label("A stanza to send").fill("<message")
    page.button("Send the stanza", pane).click()
    expect(pane.get_by_role("status").last).to_contain_text("not well-formed XML")
    page.page.reload()
    page.tab("Chat")
    expect(xml).to_contain_text("<name>xmpplab</name>")  # the pane outlives the load of the page
    page.button(f"Close {ROMEO}").click()
    expect(pane).to_have_count(0)


def test_a_phone_answers(page: Visit) -> None:
    page.button("fc1 +393331234567").click()
    expect(page.pane("fc1")).to_be_visible()
    page.page.get_by_label("chat as").fill(ROMEO)
    page.button("Open", exact=True).click()
    page.pane(ROMEO).get_by_label("to", exact=True).fill("+393331234567@sms.montague.lit")
    page.say(ROMEO, "Call me but love")
    expect(page.said("fc1")).to_contain_text("Call me but love")
    page.pane("fc1").get_by_label("to", exact=True).fill(ROMEO)
    page.say("fc1", "I know not how to tell thee who I am")
    expect(page.said(ROMEO)).to_contain_text("I know not how to tell thee who I am")
    for who in ("fc1", ROMEO):
        page.button(f"Close {who}").click()


def test_people_meet_in_a_room(browser: Browser, tmp_path: Path) -> None:
    lab = RunningLab(tmp_path, ROOT / "topologies" / "rooms.yaml")
    lab.up()
    served = Served(tmp_path, XMPPLAB, "web")
    room = "verona@conference.montague.lit"
    try:
        with visit(browser, served.address) as page:
            page.button("Chat as romeo").click()
            expect(page.pane(ROMEO)).to_be_visible()  # it comes second, and moves the first one aside
            for who, text in ((JULIET, "Is anybody here?"), (ROMEO, "I am"), (JULIET, "So am I")):
                page.pane(who).get_by_label("to", exact=True).fill(room)
                page.say(who, text)
                expect(page.said(who)).to_contain_text(f"to {room}: {text}")
            expect(page.said(ROMEO)).to_contain_text(f"{room}/juliet: So am I")
            expect(page.said(JULIET)).to_contain_text(f"{room}/romeo: I am")
            expect(page.said(JULIET)).not_to_contain_text(f"{room}/juliet")  # her own, which she sees as hers
    finally:
        served.interrupt()
        lab.down()


def test_the_chat_is_a_client_that_connect_knows(
    browser: Browser, make_lab: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`connect page` opens the user's browser, where the account is online and can write at once."""
    opened, program = tmp_path / "opened", tmp_path / "browser"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" >{opened}.new && mv {opened}.new {opened}\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(program))
    served = Served(make_lab.folder, XMPPLAB, "connect", "page", "romeo")
    try:
        assert wait_until(opened.exists, PATIENCE_S)
        assert opened.read_text() == served.address
        with visit(browser, served.address) as page:
            expect(page.pane(ROMEO)).to_be_visible()
            page.pane(ROMEO).get_by_label("to", exact=True).fill(JULIET)
            page.say(ROMEO, "What shall I swear by?")
            expect(page.said(ROMEO)).to_contain_text("What shall I swear by?")
    finally:
        assert served.interrupt() == 0


@pytest.mark.parametrize(
    ("arguments", "why"), [(["nobody@montague.lit"], "nobody"), (["romeo", "--password", "wrong"], "password")]
)
def test_connect_says_why_nobody_can_chat(make_lab: Served, arguments: list[str], why: str) -> None:
    found = subprocess.run(
        [XMPPLAB, "connect", "page", *arguments],
        cwd=make_lab.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert found.returncode == 1, found.stdout
    assert why in found.stderr
    assert "Traceback" not in found.stderr


MARKUP = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
ESCAPED = (
    MARKUP.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&apos;")
)


def test_a_text_of_others_does_not_turn_the_words_beside_it(page: Visit) -> None:
    """Directional formatting (Unicode TR 36 section 2.5) and control characters show as in the terminal."""
    page.tab("Chat")
    page.page.get_by_label("chat as").fill(ROMEO)
    page.button("Open", exact=True).click()
    pane = page.pane(ROMEO)
    page.button("XML", pane).click()
    body = "left \u202e right \x9b \u2066 end"
    pane.get_by_label("A stanza to send").fill(f"<message to='{ROMEO}' type='chat'><body>{body}</body></message>")
    page.button("Send the stanza", pane).click()
    page.button("Messages", pane).click()
    expect(page.said(ROMEO)).to_contain_text(r"left \u202e right \x9b \u2066 end")
    page.button(f"Close {ROMEO}").click()


def test_markup_of_others_stays_text(page: Visit, make_lab: Served) -> None:
    """In bodies, presence, resources, ids, addresses and domains, errors, faults and commands."""
    page.tab("Chat")
    for who in (ROMEO, JULIET):
        page.page.get_by_label("chat as").fill(who)
        page.button("Open", exact=True).click()
        expect(page.pane(who)).to_be_visible()
    pane = page.pane(ROMEO)
    page.button("XML", pane).click()
    stanzas = [
        f"<message to='{JULIET}' type='chat' id='{ESCAPED}'><body>{ESCAPED} in a body</body></message>",
        f"<presence to='{JULIET}'><status>{ESCAPED} in a status</status></presence>",
        f"<message to='{JULIET}/{ESCAPED}' type='chat'><body>to a resource</body></message>",
        f"<message to='nobody@nowhere.example/{ESCAPED}' type='chat'><body>x</body></message>",
    ]
    for stanza in stanzas:
        pane.get_by_label("A stanza to send").fill(stanza)
        page.button("Send the stanza", pane).click()
    expect(page.said(JULIET)).to_contain_text(f"{MARKUP} in a body")
    expect(page.said(JULIET)).to_contain_text("to a resource")
    page.button("Messages", page.pane(ROMEO)).click()
    expect(page.said(ROMEO)).to_contain_text(MARKUP)  # the address that the last one came back from
    page.page.get_by_label("chat as").fill(MARKUP)
    page.button("Open", exact=True).click()
    expect(page.page.locator("#chat > .outcome")).to_contain_text("<img")
    page.tab("Trace")
    page.page.locator(".trace", has_text="nowhere.example").click()
    expect(page.page.locator("#trace h2")).to_contain_text(MARKUP)
    page.page.get_by_label(re.compile("^link of s1 and s2")).click()
    page.page.get_by_label("value").fill(MARKUP)
    page.button("Set", exact=True).click()
    expect(page.page.locator("#lab .outcome")).to_contain_text("<img")
    page.tab("Lab")
    expect(page.page.locator("#lab .log")).to_contain_text("<img")
    assert page.page.locator("img, body script, iframe").count() == 0
    assert page.page.title() == "rfc3920 · xmpplab"
    page.tab("Chat")
    for who in (ROMEO, JULIET):
        page.button(f"Close {who}").click()
