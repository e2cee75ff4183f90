"""Carbons, archive, client state and stream management, as slixmpp's own plugins use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.live.clients import RealProgram
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live

ROMEO, JULIET, BENVOLIO = "romeo@montague.lit", "juliet@capulet.lit", "benvolio@shakespeare.lit"


class Stage:
    """Who is on it has a session and is available."""

    def __init__(self, lab: RunningLab, stack: ExitStack) -> None:
        self._lab = lab
        self._stack = stack

    def enter(self, jid: str) -> RealProgram:
        domain = jid.partition("/")[0].partition("@")[2]
        host, _, port = self._lab.node(domain)["c2s"].rpartition(":")
        ca_file = self._lab.ps()["ca_file"]
        client = self._stack.enter_context(RealProgram("slixmpp_messages.py", jid, "secret", host, port, ca_file))
        client.see("session", jid=jid)
        client.do("presence")
        client.see("presence", type="available", from_=jid)  # her own, so that she is there now
        return client


@pytest.fixture
def stage(verona: RunningLab) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(verona, stack)


def test_carbons(stage: Stage) -> None:
    pda, home, juliet = stage.enter(f"{ROMEO}/pda"), stage.enter(f"{ROMEO}/home"), stage.enter(f"{JULIET}/balcony")
    home.do("carbons")
    home.see("carbons")
    pda.do("message", to=f"{JULIET}/balcony", body="What light?")
    juliet.see("message", body="What light?")
    home.see("carbon sent", body="What light?", from_=f"{ROMEO}/pda", to=f"{JULIET}/balcony")
    juliet.do("message", to=f"{ROMEO}/pda", body="Ay me!")
    pda.see("message", body="Ay me!")
    home.see("carbon received", body="Ay me!", from_=f"{JULIET}/balcony", to=f"{ROMEO}/pda")
    assert pda.unseen("carbon sent") == pda.unseen("carbon received") == []


def test_the_archive(stage: Stage) -> None:
    romeo, benvolio = stage.enter(f"{ROMEO}/pda"), stage.enter(f"{BENVOLIO}/street")
    said = [f"line {number}" for number in range(7)]
    for number, body in enumerate(said):
        speaker, hearer = (romeo, benvolio) if number % 2 else (benvolio, romeo)
        speaker.do("message", to=f"{BENVOLIO}/street" if number % 2 else f"{ROMEO}/pda", body=body)
        hearer.see("message", body=body)
    for client, contact in ((romeo, BENVOLIO), (benvolio, ROMEO)):
        client.do("history", with_=contact, page=3)
        history = client.see("history")
        assert history["bodies"][-7:] == said  # there may be more, from other tests
        assert history["stamps"] == sorted(history["stamps"])
        client.do("metadata")
        assert client.see("metadata")["end"] == history["ids"][-1]
    romeo.do("info", to=ROMEO)
    assert {"urn:xmpp:mam:2", "urn:xmpp:mam:2#extended"} <= set(romeo.see("info")["features"])


def test_archive_preferences(stage: Stage) -> None:
    juliet, romeo = stage.enter(f"{JULIET}/chamber"), stage.enter(f"{ROMEO}/pda")
    juliet.do("preferences", default="roster", never=[ROMEO])
    juliet.see("preferences", default="roster", never=[ROMEO])
    romeo.do("message", to=f"{JULIET}/chamber", body="off the record")
    juliet.see("message", body="off the record")
    juliet.do("preferences", default="roster", never=[])
    juliet.see("preferences", default="roster", never=[])
    romeo.do("message", to=f"{JULIET}/chamber", body="on the record")
    juliet.see("message", body="on the record")
    juliet.do("history", with_=ROMEO, page=10)
    bodies = juliet.see("history")["bodies"]
    assert "on the record" in bodies
    assert "off the record" not in bodies


def test_an_inactive_client_is_not_woken(stage: Stage) -> None:
    juliet, romeo = stage.enter(f"{JULIET}/balcony"), stage.enter(f"{ROMEO}/pda")
    juliet.see("presence", from_=f"{ROMEO}/pda")
    juliet.do("inactive")
    juliet.do("ping", to="capulet.lit")  # after it
    juliet.see("pong")
    for status in ("first", "second"):
        romeo.do("presence", pstatus=status)
    romeo.do("ping", to="capulet.lit")  # after them, over the same link
    romeo.see("pong")
    assert [seen["status"] for seen in juliet.unseen("presence") if seen["status"]] == []
    juliet.do("active")
    juliet.see("presence", from_=f"{ROMEO}/pda", status="second")


def test_a_broken_stream_is_resumed(stage: Stage) -> None:
    juliet, romeo = stage.enter(f"{JULIET}/balcony"), stage.enter(f"{ROMEO}/pda")
    juliet.see("managed", resume=True)
    juliet.see("presence", from_=f"{ROMEO}/pda")
    romeo.see("presence", from_=f"{JULIET}/balcony")
    juliet.do("drop")
    juliet.see("disconnected")
    for body in ("1", "2", "3"):
        romeo.do("message", to=f"{JULIET}/balcony", body=body)
    romeo.do("ping", to="capulet.lit")
    romeo.see("pong")
    juliet.do("return")
    juliet.see("resumed")
    for body in ("1", "2", "3"):
        assert juliet.see("message")["body"] == body
    juliet.do("message", to=f"{ROMEO}/pda", body="I heard you")
    romeo.see("message", body="I heard you")
    assert [seen for seen in romeo.unseen("presence") if seen["from"] == f"{JULIET}/balcony"] == []  # nobody noticed


def test_the_server_acknowledges(stage: Stage) -> None:
    romeo = stage.enter(f"{ROMEO}/pda")
    romeo.see("managed")
    bodies = [str(number) for number in range(10)]
    for body in bodies:
        romeo.do("message", to=BENVOLIO, body=body)
    for body in bodies[:5]:  # it asks after every fifth stanza, of which some are no messages
        romeo.see("acked", body=body)
