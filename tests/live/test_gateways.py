"""The lower half of the RFC's figure, end to end: G1===FN1===FC1, real clients, and a phone in the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from cluster.lab.wait import wait_until
from tests.live.clients import PATIENCE_S
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


def test_ps_lists_the_gateway_and_the_foreign_network(lab: RunningLab) -> None:
    kinds = {node["name"]: (node["kind"], node["state"]) for node in lab.ps()["nodes"]}
    assert kinds["g1"] == ("sms", "running")
    assert kinds["fn1"] == ("smsc", "running")


def test_the_trace_goes_through_to_the_phone(lab: RunningLab) -> None:
    shown = json.loads(lab.command("trace", "romeo@montague.lit", f"{PHONE}@sms.montague.lit", "--format", "json"))
    nodes = list(dict.fromkeys(hop["node"] for hop in shown))
    assert nodes == ["C1", "s1", "g1", "fn1", "fc1"]


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


def test_the_dictionary_bot_answers_a_phone(lab: RunningLab) -> None:
    node = lab.node("montague.lit")
    host, _, port = node["c2s"].rpartition(":")
    script = ROOT / "examples" / "dictbot.py"
    argv = [sys.executable, str(script), "benvolio@montague.lit", "secret", host, port, lab.ps()["ca_file"]]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as bot:
        assert bot.stdout
        assert "is ready" in bot.stdout.readline()
        lab.command("phone", "fc1", "send", "benvolio@montague.lit", "roster")
        text_with(lab, "roster: the list of one's contacts")
        bot.terminate()


@pytest.mark.parametrize(
    ("arguments", "exit_code", "expected"),
    [
        (("phone", "+1"), 2, f"there is: {PHONE} (fc1)"),
        (("phone", "fc1", "send"), 2, "what is sent, and to whom?"),
        (("phone", "fc1", "send", "+399999999", "hi"), 1, "nobody is reached"),
    ],
)
def test_what_a_phone_cannot_do(lab: RunningLab, arguments: tuple[str, ...], exit_code: int, expected: str) -> None:
    assert expected in lab.command(*arguments, exit_code=exit_code)
