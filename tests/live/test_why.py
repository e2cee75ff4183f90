"""Why a message is late, waits or comes back: the questions of a lecture, each with another answer."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.harness import PATIENCE_S
from tests.live.running_lab import XMPPLAB, RunningLab

pytestmark = pytest.mark.live
ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"


def why(lab: RunningLab, to: str, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.command("why", "--to", to, "--format", "json", *more))
    return found


def ask(lab: RunningLab, to: str, *more: str, exit_code: int = 1) -> tuple[str, str, str]:
    """What becomes of a probe, where, and for which reason."""
    lab.command("trace", ROMEO, to, "--timeout", "2s", "--no-receiver", *more, exit_code=exit_code)
    answer = why(lab, to)
    assert answer["remedy"]
    return answer["outcome"], answer["where"], answer["reason"]


def test_no_such_account(verona: RunningLab) -> None:
    assert ask(verona, "nobody@capulet.lit") == ("bounced", "s2", "no-account")


def test_no_such_domain(verona: RunningLab) -> None:
    assert ask(verona, "bianca@padua.lit") == ("bounced", "s1", "no-domain")


def test_offline(verona: RunningLab) -> None:
    assert ask(verona, "mercutio@shakespeare.lit", exit_code=0) == ("stored", "s3", "offline")


def test_blocked(verona: RunningLab) -> None:
    with verona.client("benvolio@shakespeare.lit/street") as benvolio:
        benvolio.see("session")
        block = "<iq type='set' id='{}'><{} xmlns='urn:xmpp:blocking'><item jid='{}'/></{}></iq>"
        benvolio.do("raw", xml=block.format("b", "block", ROMEO, "block"))
        benvolio.do("ping", to="shakespeare.lit")
        benvolio.see("pong")
        assert ask(verona, "benvolio@shakespeare.lit") == ("bounced", "s3", "receiver-blocks")
        benvolio.do("raw", xml=block.format("u", "unblock", ROMEO, "unblock"))
        benvolio.do("ping", to="shakespeare.lit")
        benvolio.see("pong")


def test_a_negative_priority(verona: RunningLab) -> None:
    with verona.client("nurse@capulet.lit/pda") as nurse:
        nurse.see("session")
        nurse.do("presence", ppriority=-1)
        nurse.do("ping", to="capulet.lit")
        nurse.see("pong")
        assert ask(verona, "nurse@capulet.lit", exit_code=0) == ("stored", "s2", "negative-priority")


def test_a_server_that_is_paused(verona: RunningLab) -> None:
    verona.command("pause", "s2")
    try:
        assert ask(verona, JULIET) == ("waits", "router", "node-paused")
    finally:
        verona.command("resume", "s2")


def test_a_link_that_is_cut(verona: RunningLab) -> None:
    verona.command("fault", "set", "s1", "s2", "--down", "always")
    try:
        assert ask(verona, JULIET) == ("waits", "router", "link-partitioned")
    finally:
        verona.command("fault", "clear", "s1", "s2")


def test_which_step_was_late(verona: RunningLab) -> None:
    for _ in range(5):
        verona.command("trace", ROMEO, JULIET)
    verona.command("fault", "set", "s1", "s2", "--delay", "700ms")
    try:
        verona.command("trace", ROMEO, JULIET)
    finally:
        verona.command("fault", "clear", "s1", "s2")
    answer = why(verona, "capulet.lit", "--from", "romeo")
    assert (answer["outcome"], answer["reason"]) == ("delivered", "late")
    [late] = [each for each in answer["decisions"] if each["is_late"]]
    assert (late["node"], late["event"]) == ("router", "dequeued")


@contextmanager
def followed(lab: RunningLab, address: str) -> Iterator[subprocess.Popen[str]]:
    command = [XMPPLAB, "why", "--follow", address, "--format", "json"]
    following = subprocess.Popen(
        command, cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert following.stderr is not None
    try:
        assert "following what is from or to" in following.stderr.readline()
        yield following
    finally:
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=PATIENCE_S)


def test_an_account_is_followed(verona: RunningLab) -> None:
    """Its messages are ordinary ones, of a client that is not ours."""
    with (
        verona.client("juliet@capulet.lit/balcony") as juliet,
        verona.client("romeo@montague.lit/pda") as romeo,
    ):
        juliet.see("session")
        romeo.see("session")
        with followed(verona, "juliet") as following:
            romeo.do("message", to="juliet@capulet.lit/balcony", body="But, soft!")
            juliet.see("message", body="But, soft!")
            assert following.stdout is not None
            answers = (json.loads(line) for line in following.stdout)
            answer = next(each for each in answers if each["kind"] == "message")
    assert (answer["from"], answer["to"]) == ("romeo@montague.lit/pda", "juliet@capulet.lit/balcony")
    assert (answer["outcome"], answer["where"]) == ("delivered", "s2")


def test_what_send_sent_is_in_the_journal(verona: RunningLab) -> None:
    """Otherwise the answer would be about an earlier probe."""
    verona.command("trace", ROMEO, JULIET)
    verona.command("send", "romeo", "mercutio@shakespeare.lit", "But, soft!")
    answer = why(verona, "mercutio@shakespeare.lit", "--from", "romeo")
    assert (answer["kind"], answer["outcome"], answer["reason"]) == ("message", "stored", "offline")
    assert why(verona, "shakespeare.lit")["trace_id"] == answer["trace_id"]


def test_the_last_one_after_send_is_its_message(verona: RunningLab) -> None:
    """A ping follows the message, and comes back as well."""
    verona.command("send", "romeo", "nobody@capulet.lit", "But, soft!", exit_code=1)
    answer = why(verona, "nobody@capulet.lit")
    assert (answer["kind"], answer["reason"]) == ("message", "no-account")
    assert json.loads(verona.command("why", "--format", "json"))["trace_id"] == answer["trace_id"]


def test_the_last_one_is_a_message_and_no_chat_state(verona: RunningLab) -> None:
    """A client that is not ours says something, and then tells that it is not typing."""
    to = "juliet@capulet.lit/balcony"
    paused = f"<message to='{to}' type='chat'><paused xmlns='http://jabber.org/protocol/chatstates'/></message>"
    with verona.client(to) as juliet, verona.client("romeo@montague.lit/pda") as romeo:
        juliet.see("session")
        romeo.see("session")
        with followed(verona, "juliet") as following:
            romeo.do("message", to=to, body="But, soft!")
            juliet.see("message", body="But, soft!")
            romeo.do("raw", xml=paused)
            assert following.stdout is not None
            answers = (json.loads(line) for line in following.stdout)
            messages = (answer for answer in answers if answer["kind"] == "message")
            said, state = next(messages), next(messages)
            for asked in (("--last",), ("--from", "romeo", "--to", to)):
                answer = json.loads(verona.command("why", *asked, "--format", "json"))
                assert answer["trace_id"] == said["trace_id"]
            drawn = verona.command("why", said["trace_id"], "--format", "svg")
    assert state["decisions"][0]["what"] == "received it: a chat state"
    assert drawn.startswith("<svg ")
    assert "it was delivered at s2" in drawn


def test_what_makes_no_sense(verona: RunningLab) -> None:
    assert "xmpplab why --follow ADDRESS" in verona.command("why", "no such id", exit_code=1)
    assert "leave out --from" in verona.command("why", "id", "--from", ROMEO, exit_code=2)
    assert "leave out --follow" in verona.command("why", "--follow", ROMEO, "--format", "mermaid", exit_code=2)
    assert "leave out --follow" in verona.command("why", "--follow", ROMEO, "--format", "svg", exit_code=2)
    assert "--last is the newest stanza" in verona.command("why", "--last", "--from", ROMEO, exit_code=2)
