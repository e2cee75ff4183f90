"""A second client library, which shares nothing with slixmpp: xmpp.js logs in, and both talk across domains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.live.clients import RealClient, RealProgram
from tests.live.running_lab import RunningLab
from tests.live.xmppjs import needs_xmppjs, xmppjs

pytestmark = [pytest.mark.live, needs_xmppjs]
ROMEO, JULIET = "romeo@montague.lit/orchard", "juliet@capulet.lit/balcony"


class Stage:
    """Who enters it has connected, and leaves with the test."""

    def __init__(self, lab: RunningLab, stack: ExitStack) -> None:
        self._lab = lab
        self._stack = stack

    def xmppjs(self, jid: str, password: str = "secret") -> RealProgram:
        return self._stack.enter_context(xmppjs(self._lab, jid, password))

    def slixmpp(self, jid: str) -> RealClient:
        return self._stack.enter_context(self._lab.client(jid))


@pytest.fixture
def stage(verona: RunningLab) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(verona, stack)


def test_login(stage: Stage) -> None:
    """SCRAM under TLS, whose certificate it checks against the lab's CA; a resource by its tag (XEP-0386)."""
    romeo = stage.xmppjs(ROMEO)
    assert romeo.see("authenticate", mechanism="SCRAM-SHA-1")["with"] == [
        "initial-response", "user-agent", "bind", "request-token"
    ]  # fmt: skip
    session = romeo.see("session", mechanism="SCRAM-SHA-1", secure=True)
    assert session["jid"].startswith(f"{ROMEO}/")
    romeo.do("quit")
    romeo.see("disconnected")


def test_the_next_login_is_by_token(stage: Stage) -> None:
    """XEP-0484, with the same resource."""
    romeo = stage.xmppjs(ROMEO)
    romeo.see("authenticate", mechanism="SCRAM-SHA-1")
    first = romeo.see("session")
    romeo.do("quit")
    romeo.see("disconnected")
    romeo.do("start")
    romeo.see("authenticate", mechanism="HT-SHA-256-NONE")
    assert romeo.see("session")["jid"] == first["jid"]


def test_a_stream_is_resumed_with_the_login(stage: Stage) -> None:
    """XEP-0198 section 6.2: what came meanwhile is there after it."""
    romeo, juliet = stage.xmppjs(ROMEO), stage.slixmpp(JULIET)
    romeo.see("authenticate")
    address = romeo.see("session")["jid"]
    juliet.see("session")
    romeo.do("ping", to="montague.lit")
    romeo.see("pong")
    romeo.do("cut")
    romeo.see("disconnected")
    juliet.do("message", to=address, body="are you there?")
    romeo.do("reconnect")
    assert "resume" in romeo.see("authenticate")["with"]
    romeo.see("resumed")
    romeo.see("message", body="are you there?", from_=JULIET)


def test_a_wrong_password(stage: Stage) -> None:
    stage.xmppjs(ROMEO, password="wrong").see("refused", condition="not-authorized")


def test_roster_presence_and_messages(stage: Stage) -> None:
    """With slixmpp at the other end: each sees what the other says, as it was said."""
    romeo, juliet = stage.xmppjs(ROMEO), stage.slixmpp(JULIET)
    here = romeo.see("session")["jid"]
    juliet.see("session", jid=JULIET)
    romeo.do("roster")
    contacts = romeo.see("roster", type="result")["items"]
    assert contacts["juliet@capulet.lit"] == {"subscription": "both", "name": "Juliet", "ask": ""}

    juliet.do("presence", pstatus="on the balcony")
    romeo.do("presence", pstatus="in love ♥")
    juliet.see("presence", type="available", from_=here, status="in love ♥")
    romeo.see("presence", type="available", from_=JULIET, status="on the balcony")

    romeo.do("message", to=JULIET, body="<hi> & 🌹!")
    juliet.see("message", type="chat", from_=here, body="<hi> & 🌹!")
    juliet.do("message", to=here, body="hi yourself!")
    romeo.see("message", type="chat", from_=JULIET, body="hi yourself!", delayed=None)
    juliet.do("ping", to=here)  # which xmpp.js answers itself
    juliet.see("pong")
    romeo.do("message", to="nobody@capulet.lit", body="?")
    romeo.see("message", type="error", from_="nobody@capulet.lit", condition="service-unavailable")

    romeo.do("quit")
    juliet.see("presence", type="unavailable", from_=here)
    juliet.do("message", to="romeo@montague.lit", body="parting is such sweet sorrow")
    juliet.do("ping", to="montague.lit")  # answered after the message, so that is stored
    juliet.see("pong")
    returned = stage.xmppjs(ROMEO)
    returned.see("session")
    returned.do("archived")  # not sent again (XEP-0386 section 3.2)
    assert returned.see("archived")["bodies"][-1] == "parting is such sweet sorrow"


def test_a_subscription(stage: Stage) -> None:
    """Request, approval, presence and the end, with xmpp.js at both ends."""
    nurse, mercutio = stage.xmppjs("nurse@capulet.lit/kitchen"), stage.xmppjs("mercutio@shakespeare.lit/square")
    nurse.see("session")
    mercutio_here = mercutio.see("session")["jid"]
    for client in (nurse, mercutio):
        client.do("roster")
        client.see("roster", type="result")
        client.do("presence")
    nurse.do("presence", pto="mercutio@shakespeare.lit", ptype="subscribe")
    nurse.see("roster", where=lambda push: push["items"]["mercutio@shakespeare.lit"]["ask"] == "subscribe")
    mercutio.see("presence", type="subscribe", from_="nurse@capulet.lit")
    mercutio.do("presence", pto="nurse@capulet.lit", ptype="subscribed")
    mercutio.see("roster", where=lambda push: push["items"]["nurse@capulet.lit"]["subscription"] == "from")
    nurse.see("roster", where=lambda push: push["items"]["mercutio@shakespeare.lit"]["subscription"] == "to")
    nurse.see("presence", type="available", from_=mercutio_here)
    nurse.do("roster_remove", jid="mercutio@shakespeare.lit")
    nurse.see("presence", type="unavailable", from_=mercutio_here)
    mercutio.see("roster", where=lambda push: push["items"]["nurse@capulet.lit"]["subscription"] == "none")
    mercutio.do("roster_remove", jid="nurse@capulet.lit")  # the lab as it was
    mercutio.see("roster", where=lambda push: push["items"]["nurse@capulet.lit"]["subscription"] == "remove")
