"""Probes through the running lab, as the command shows them."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from tests.live.running_lab import XMPPLAB, RunningLab

pytestmark = pytest.mark.live
PATIENCE_S = 30.0


def hops(lab: RunningLab, from_: str, to: str, exit_code: int = 0) -> list[dict[str, Any]]:
    shown = lab.command("trace", from_, to, "--format", "json", exit_code=exit_code)
    found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(shown)[0]
    return found


def events(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(hop["node"], hop["event"]) for hop in found]


FROM_ROMEO = [("C1", "sent"), ("s1", "received"), ("s1", "routed"), ("router", "enqueued"), ("router", "dequeued")]


def test_a_message_across_domains(verona: RunningLab) -> None:
    found = hops(verona, "romeo@montague.lit", "juliet@capulet.lit")
    assert events(found) == [*FROM_ROMEO, ("s2", "delivered"), ("C3", "received")]
    assert len({hop["trace_id"] for hop in found}) == 1
    assert found[0]["from"].startswith("romeo@montague.lit/trace-")
    assert found[0]["to"].startswith("juliet@capulet.lit/trace-")


def test_a_message_within_a_domain(verona: RunningLab) -> None:
    found = hops(verona, "juliet@capulet.lit", "nurse@capulet.lit")
    assert events(found) == [("C1", "sent"), ("s2", "received"), ("s2", "delivered"), ("C3", "received")]


def test_a_message_for_an_account_that_is_not_there(verona: RunningLab) -> None:
    found = hops(verona, "romeo@montague.lit", "nobody@capulet.lit", exit_code=1)
    assert events(found) == [*FROM_ROMEO, ("s2", "bounced")]


def test_a_message_for_a_domain_that_nobody_serves(verona: RunningLab) -> None:
    found = hops(verona, "romeo@montague.lit", "bianca@padua.lit", exit_code=1)
    assert found[-1]["node"] == "s1"
    assert found[-1]["event"] == "bounced"
    assert "remote-server-not-found" in found[-1]["detail"]


def test_a_message_that_waits(verona: RunningLab) -> None:
    found = hops(verona, "romeo@montague.lit", "mercutio@shakespeare.lit/away")
    assert events(found) == [*FROM_ROMEO, ("s3", "stored")]


def test_a_message_for_a_real_client(verona: RunningLab) -> None:
    with verona.client("benvolio@shakespeare.lit/street") as benvolio:
        benvolio.see("session")
        found = hops(verona, "romeo@montague.lit", "benvolio@shakespeare.lit/street")
        assert events(found) == [*FROM_ROMEO, ("s3", "delivered")]
        benvolio.see("message", body="This is a probe of xmpplab trace.")


def test_the_tree(verona: RunningLab) -> None:
    shown = verona.command("trace", "romeo@montague.lit", "juliet@capulet.lit")
    branches = [line[4:].split()[0] for line in shown.splitlines() if line.startswith(("├", "└"))]
    assert branches == ["C1", "s1", "router", "s2", "C3"]


def test_a_wrong_password_names_the_remedy(verona: RunningLab) -> None:
    shown = verona.command("trace", "romeo@montague.lit", "juliet@capulet.lit", "--password", "x", exit_code=1)
    assert "not-authorized" in shown
    assert "--password" in shown


def test_watch_shows_hops_as_they_happen(verona: RunningLab) -> None:
    argv = [XMPPLAB, "watch", "--filter", "trace-"]
    with subprocess.Popen(argv, cwd=verona.folder, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        # a probe sent before `watch` listens is not shown, so send until one is
        while not _reads_line(watch):
            verona.command("trace", "romeo@montague.lit", "juliet@capulet.lit")
        line = watch.stdout.readline()
        assert "romeo@montague.lit/trace-" in line
        watch.send_signal(signal.SIGINT)
        assert watch.wait(PATIENCE_S) == 0


def _reads_line(process: subprocess.Popen[str]) -> bool:
    import select

    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0.2)[0])
