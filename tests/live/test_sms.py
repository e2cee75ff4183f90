"""The lower half of the RFC's figure, end to end: G1===FN1===FC1, real clients, and a phone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import ROOT, RunningLab

pytestmark = pytest.mark.live

PHONE = "+393331234567"


@pytest.fixture
def lab(rfc3920: RunningLab) -> RunningLab:
    """The figure, exactly."""
    return rfc3920


def inbox(lab: RunningLab) -> list[dict[str, Any]]:
    return list(json.loads(lab.command("phone", "fc1", "inbox", "--format", "json")))


def text_with(lab: RunningLab, words: str) -> dict[str, Any]:
    """The text on the phone that has these words, once it is there."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = [text for text in inbox(lab) if words in text["text"]]
        return bool(found)

    assert wait_until(is_there, PATIENCE_S), f"no text with {words!r} came"
    return found[0]


def pid_of(lab: RunningLab, node: str) -> Any:
    return next(each["pid"] for each in lab.ps()["nodes"] if each["name"] == node)


def test_ps_lists_the_gateway_and_the_foreign_network(lab: RunningLab) -> None:
    kinds = {node["name"]: (node["kind"], node["state"]) for node in lab.ps()["nodes"]}
    assert kinds["g1"] == ("sms", "running")
    assert kinds["fn1"] == ("smsc", "running")
    shown = lab.command("ps")
    assert "sms.montague.lit" in next(line for line in shown.splitlines() if line.startswith("g1"))
    assert f"  {PHONE}@sms.montague.lit  xmpplab phone fc1" in shown


def test_a_message_from_another_domain_and_its_answer(lab: RunningLab) -> None:
    """juliet@capulet.lit reaches the component of montague.lit by the router, and the phone's answer reaches her."""
    with lab.client("juliet@capulet.lit/balcony") as juliet:
        juliet.see("session")
        juliet.do("presence")
        juliet.do("message", to=f"{PHONE}@sms.montague.lit", body="Art thou not Romeo?")
        assert text_with(lab, "Art thou not Romeo?")["from"] == "2345"
        lab.command("phone", PHONE, "send", "2345", "Neither, fair maid")
        juliet.see("message", body="Neither, fair maid", from_=f"{PHONE}@sms.montague.lit")


def test_a_network_and_a_gateway_that_crash_come_back(lab: RunningLab) -> None:
    def are_running() -> bool:
        return all(node["state"] == "running" for node in lab.ps()["nodes"])

    for node in ("fn1", "g1"):
        lab.command("kill", node)
        assert wait_until(are_running, PATIENCE_S)  # the other one, too, which has lost its connection
    lab.command("trace", "romeo@montague.lit", f"{PHONE}@sms.montague.lit")


def test_a_wrong_number_is_told_to_its_sender(lab: RunningLab) -> None:
    with lab.client("romeo@montague.lit/pda") as romeo:
        romeo.see("session")
        romeo.do("message", to="+390000000000@sms.montague.lit", body="?")
        assert romeo.see("message", type="error")["condition"] == "item-not-found"


def test_nothing_is_lost_or_doubled_when_the_gateway_is_killed(lab: RunningLab) -> None:
    """From its own domain and from another, while it crashes (SIGKILL) and comes back, three times.

    Those beyond the bound of what waits for it come back to their sender.
    """
    count = 300
    expected = {f"{who} {number}" for who in ("romeo", "juliet") for number in range(count)}
    with lab.client("romeo@montague.lit/pda") as romeo, lab.client("juliet@capulet.lit/balcony") as juliet:
        for user in (romeo, juliet):
            user.see("session")
        for batch in range(3):
            killed = pid_of(lab, "g1")
            for number in range(batch * count // 3, (batch + 1) * count // 3):
                for who, user in (("romeo", romeo), ("juliet", juliet)):
                    user.do("message", to=f"{PHONE}@sms.montague.lit", body=f"{who} {number}")
            os.kill(killed, signal.SIGKILL)  # they are on their way
            assert wait_until(lambda: pid_of(lab, "g1") not in (killed, None), PATIENCE_S)  # noqa: B023

        def told() -> list[str]:
            """Of each message that it arrived, or that it did not."""
            arrived = [text["text"] for text in inbox(lab) if text["text"].startswith(("romeo ", "juliet "))]
            errors = {seen["id"]: seen["body"] for user in (romeo, juliet) for seen in user.unseen("message")}
            return [*arrived, *errors.values()]

        assert wait_until(lambda: set(told()) == expected, PATIENCE_S), expected - set(told())
        assert len(told()) == len(expected), "some came twice"


def test_the_dictionary_bot_answers_a_phone(lab: RunningLab) -> None:
    node = lab.node("montague.lit")
    host, _, port = node["c2s"].rpartition(":")
    script = ROOT / "examples" / "dictbot.py"
    argv = [sys.executable, str(script), "benvolio@montague.lit", "secret", host, port, lab.ps()["ca_file"]]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as bot:
        try:
            assert bot.stdout
            assert "is ready" in bot.stdout.readline()
            lab.command("phone", "fc1", "send", "benvolio@montague.lit", "roster")
            text_with(lab, "roster: the list of one's contacts")
        finally:
            bot.terminate()  # otherwise a failure waits for its end


@pytest.mark.parametrize(
    ("arguments", "exit_code", "expected"),
    [
        (("phone", "+1"), 2, f"(phones: {PHONE} (fc1))"),
        (("phone", "fc1", "send"), 2, "recipient or text missing"),
        (("phone", "fc1", "send", "+399999999", "hi"), 1, "unknown recipient"),
    ],
)
def test_what_a_phone_cannot_do(lab: RunningLab, arguments: tuple[str, ...], exit_code: int, expected: str) -> None:
    assert expected in lab.command(*arguments, exit_code=exit_code)
