"""The story of the seed network, played by real clients: Romeo, Juliet on two devices, and the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.live.clients import RealClient
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live


@pytest.fixture
def stage(verona: RunningLab) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_romeo_and_juliet(verona: RunningLab, stage: ExitStack) -> None:
    def enter(jid: str) -> RealClient:
        client = stage.enter_context(verona.client(jid))
        client.see("session", jid=jid)
        return client

    benvolio = enter("benvolio@shakespeare.lit/street")
    benvolio.do("presence")
    balcony = enter("juliet@capulet.lit/balcony")
    chamber = enter("juliet@capulet.lit/chamber")
    balcony.do("presence", pstatus="on the balcony")
    chamber.do("presence")

    # Romeo connects, authenticates, and fetches his roster
    romeo = enter("romeo@montague.lit/pda")
    romeo.do("roster")
    contacts = romeo.see("roster")["items"]
    assert {jid: item["subscription"] for jid, item in contacts.items()} == {
        "juliet@capulet.lit": "both",
        "mercutio@shakespeare.lit": "both",
        "benvolio@shakespeare.lit": "both",
    }

    # his presence reaches his contacts in the other domains
    romeo.do("presence", pstatus="in love")
    for contact in (benvolio, balcony, chamber):
        contact.see("presence", type="available", from_="romeo@montague.lit/pda", status="in love")

    # their presence comes back, also from both of Juliet's resources
    romeo.see("presence", type="available", from_="benvolio@shakespeare.lit/street")
    romeo.see("presence", type="available", from_="juliet@capulet.lit/balcony", status="on the balcony")
    romeo.see("presence", type="available", from_="juliet@capulet.lit/chamber")

    # words cross both ways
    romeo.do("message", to="juliet@capulet.lit/balcony", body="hi!")
    balcony.see("message", body="hi!", from_="romeo@montague.lit/pda")
    balcony.do("message", to="romeo@montague.lit/pda", body="hi yourself!")
    romeo.see("message", body="hi yourself!", from_="juliet@capulet.lit/balcony")
    assert chamber.unseen("message") == []

    # Juliet goes; a message waits for her, and comes with the time it was stored
    for device in (balcony, chamber):
        device.do("quit")
    romeo.see("presence", type="unavailable", from_="juliet@capulet.lit/balcony")
    romeo.see("presence", type="unavailable", from_="juliet@capulet.lit/chamber")
    romeo.do("message", to="juliet@capulet.lit", body="parting is such sweet sorrow")
    romeo.do("ping", to="juliet@capulet.lit")  # answered after the message, so that is stored
    romeo.see("pong")
    returned = enter("juliet@capulet.lit/orchard")
    returned.do("presence")
    waited = returned.see("message", body="parting is such sweet sorrow")
    assert waited["from"] == "romeo@montague.lit/pda"
    assert waited["delayed"]


def test_a_subscription_across_domains(verona: RunningLab, stage: ExitStack) -> None:
    """RFC 6121 section 3.1 and 3.2: request, approval, presence, and the end of it."""
    nurse = stage.enter_context(verona.client("nurse@capulet.lit/kitchen"))
    mercutio = stage.enter_context(verona.client("mercutio@shakespeare.lit/square"))
    for client in (nurse, mercutio):
        client.see("session")
        client.do("roster")
        client.see("roster", type="result")
        client.do("presence")

    nurse.do("presence", pto="mercutio@shakespeare.lit", ptype="subscribe")
    nurse.see("roster", where=lambda push: push["items"]["mercutio@shakespeare.lit"]["ask"] == "subscribe")
    mercutio.see("presence", type="subscribe", from_="nurse@capulet.lit")
    mercutio.do("presence", pto="nurse@capulet.lit", ptype="subscribed")
    mercutio.see("roster", where=lambda push: push["items"]["nurse@capulet.lit"]["subscription"] == "from")
    nurse.see("roster", where=lambda push: push["items"]["mercutio@shakespeare.lit"]["subscription"] == "to")
    nurse.see("presence", type="available", from_="mercutio@shakespeare.lit/square")

    nurse.do("roster_remove", jid="mercutio@shakespeare.lit")
    nurse.see("presence", type="unavailable", from_="mercutio@shakespeare.lit/square")
    mercutio.see("roster", where=lambda push: push["items"]["nurse@capulet.lit"]["subscription"] == "none")


def test_modules(verona: RunningLab, stage: ExitStack) -> None:
    """What a client asks of its own server and of one in another domain."""
    romeo = stage.enter_context(verona.client("romeo@montague.lit/pda"))
    romeo.see("session")
    for domain in ("montague.lit", "capulet.lit"):
        romeo.do("info", to=domain)
        assert {"urn:xmpp:ping", "jabber:iq:version", "jabber:iq:register"} <= set(romeo.see("info")["features"])
        romeo.do("version", to=domain)
        assert romeo.see("version")["name"] == "xmpplab"
        romeo.do("ping", to=domain)
        romeo.see("pong")


@pytest.mark.parametrize(
    ("to", "condition"),
    [
        ("nobody@verona.example", "remote-server-not-found"),
        ("nobody@capulet.lit", "service-unavailable"),
        ("@capulet.lit", "jid-malformed"),
    ],
)
def test_a_message_that_cannot_arrive(verona: RunningLab, stage: ExitStack, to: str, condition: str) -> None:
    romeo = stage.enter_context(verona.client("romeo@montague.lit/pda"))
    romeo.see("session")
    romeo.do("raw", xml=f"<message to='{to}' type='chat' id='lost'><body>?</body></message>")
    assert romeo.see("message", type="error")["condition"] == condition


def test_a_wrong_password(verona: RunningLab, stage: ExitStack) -> None:
    romeo = stage.enter_context(verona.client("romeo@montague.lit/pda", password="wrong"))
    romeo.see("refused")
