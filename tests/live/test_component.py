"""Components in processes of their own at a real lab: slixmpp's, which is not ours, and our gateway runtime."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.lab.wait import wait_until
from cluster.topology.plan import Plan
from tests.harness import PATIENCE_S
from tests.live.clients import RealProgram
from tests.live.running_lab import RunningLab

pytestmark = pytest.mark.live
SMS, SECRET = "sms.montague.lit", "hush"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """Two domains; the first lets the component in."""
    yield from RunningLab(tmp_path_factory.mktemp("component"), Path(__file__).with_name("component.yaml")).while_up()


def component(lab: RunningLab, script: str, secret: str = SECRET) -> RealProgram:
    server = Plan.load(lab.folder / ".xmpplab" / "component" / "plan.json").servers[0]
    return RealProgram(script, SMS, secret, server.host, str(server.component_port))


def test_check_says_whether_it_is_connected(lab: RunningLab) -> None:
    assert wait_until(lambda: not is_connected(lab), PATIENCE_S)
    said = lab.command("check", SMS, exit_code=1)
    assert f"{SMS}: connection for components: it is not connected to s1 (XEP-0114); start the program" in said
    with component(lab, "slixmpp_component.py") as program:
        program.see("session")
        assert "it is connected to s1" in lab.command("check", SMS)


def is_connected(lab: RunningLab) -> bool:
    return any(each["is_connected"] for each in lab.ps()["components"])


SCRIPTS = pytest.mark.parametrize("script", ["slixmpp_component.py", "our_component.py"])


@SCRIPTS
def test_it_is_reached_from_its_own_and_from_other_domains(lab: RunningLab, stage: ExitStack, script: str) -> None:
    stage.enter_context(component(lab, script)).see("session")
    for jid in ("romeo@montague.lit/pda", "juliet@capulet.lit/balcony"):
        user = stage.enter_context(lab.client(jid))
        user.see("session")
        user.do("message", to=f"+39333@{SMS}", body="thou art as wise as thou art beautiful <&>")
        echo = user.see("message", from_=f"+39333@{SMS}")
        assert echo["body"] == "echo thou art as wise as thou art beautiful <&>"
        user.do("ping", to=SMS)
        user.see("pong")
        user.do("info", to=SMS)
        assert "urn:xmpp:ping" in user.see("info")["features"]


@SCRIPTS
def test_what_is_sent_between_two_runs_arrives_in_order(lab: RunningLab, stage: ExitStack, script: str) -> None:
    romeo = stage.enter_context(lab.client("romeo@montague.lit/pda"))
    juliet = stage.enter_context(lab.client("juliet@capulet.lit/balcony"))
    for user in (romeo, juliet):
        user.see("session")
    with component(lab, script) as first:
        first.see("session")
    for number in range(10):
        romeo.do("message", to=f"x@{SMS}", body=str(number))
        juliet.do("message", to=f"x@{SMS}", body=str(number))
    romeo.do("ping", to="montague.lit")  # answered after the messages, so they wait by then
    romeo.see("pong")
    second = stage.enter_context(component(lab, script))
    for user in (romeo, juliet):
        assert [user.see("message")["body"] for _ in range(10)] == [f"echo {number}" for number in range(10)]
    assert len([second.see("message") for _ in range(20)]) == 20


@SCRIPTS
def test_a_wrong_secret(lab: RunningLab, stage: ExitStack, script: str) -> None:
    stranger = stage.enter_context(component(lab, script, secret="wrong"))
    stranger.see("disconnected")
    assert stranger.unseen("session") == []


def test_when_the_server_is_killed_ours_comes_back_and_nothing_is_lost(lab: RunningLab, stage: ExitStack) -> None:
    juliet = stage.enter_context(lab.client("juliet@capulet.lit/balcony"))
    juliet.see("session")
    ours = stage.enter_context(component(lab, "our_component.py"))
    ours.see("session")
    os.kill(lab.node("montague.lit")["pid"], signal.SIGKILL)
    ours.see("disconnected")
    for number in range(10):
        juliet.do("message", to=f"x@{SMS}", body=str(number))
    ours.see("session")
    assert [juliet.see("message")["body"] for _ in range(10)] == [f"echo {number}" for number in range(10)]
