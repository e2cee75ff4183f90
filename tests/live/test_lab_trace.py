"""Probes through the running lab, as the command shows them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from cluster.lab.wait import wait_until
from tests.harness import PATIENCE_S
from tests.live.running_lab import XMPPLAB, RunningLab

pytestmark = pytest.mark.live


def hops(lab: RunningLab, from_: str, to: str, exit_code: int = 0, more: Sequence[str] = ()) -> list[dict[str, Any]]:
    shown = lab.command("trace", from_, to, "--format", "json", *more, exit_code=exit_code)
    found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(shown)[0]
    return found


def events(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(hop["node"], hop["event"]) for hop in found]


ROMEO, JULIET = "romeo@montague.lit", "juliet@capulet.lit"
FROM_ROMEO = [(ROMEO, "sent"), ("s1", "received"), ("s1", "routed"), ("router", "enqueued"), ("router", "dequeued")]


def test_a_message_across_domains(verona: RunningLab) -> None:
    found = hops(verona, "romeo@montague.lit", "juliet@capulet.lit")
    assert events(found) == [*FROM_ROMEO, ("s2", "delivered"), (JULIET, "received")]
    assert len({hop["trace_id"] for hop in found}) == 1
    assert found[0]["from"].startswith("romeo@montague.lit/trace-")
    assert found[0]["to"].startswith("juliet@capulet.lit/trace-")


def test_a_message_within_a_domain(verona: RunningLab) -> None:
    found = hops(verona, "juliet@capulet.lit", "nurse@capulet.lit")
    assert events(found) == [
        (JULIET, "sent"),
        ("s2", "received"),
        ("s2", "delivered"),
        ("nurse@capulet.lit", "received"),
    ]


def test_a_message_for_an_account_that_is_not_there(verona: RunningLab) -> None:
    found = hops(verona, "romeo@montague.lit", "nobody@capulet.lit", exit_code=1)
    assert events(found) == [*FROM_ROMEO, ("s2", "bounced")]
    assert "no such account" in found[-1]["detail"]


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
    assert branches == [ROMEO, "s1", "router", "s2", JULIET]


def test_a_wrong_password_names_the_remedy(verona: RunningLab) -> None:
    shown = verona.command("trace", "romeo@montague.lit", "juliet@capulet.lit", "--password", "x", exit_code=1)
    assert "not-authorized" in shown
    assert "--password" in shown


def test_one_client_of_the_receiver(verona: RunningLab) -> None:
    with verona.client("benvolio@shakespeare.lit/street") as benvolio:
        benvolio.see("session")
        verona.command("trace", ROMEO, "benvolio@shakespeare.lit", "--to-resource", "street")
        benvolio.see("message", body="This is a probe of xmpplab trace.")
    shown = verona.command("trace", ROMEO, f"{JULIET}/x", "--to-resource", "y", exit_code=2)
    assert "leave out --to-resource" in shown


def test_the_account_of_the_receiver_is_left_alone_on_request(verona: RunningLab) -> None:
    found = hops(verona, ROMEO, JULIET, more=["--no-receiver"])
    assert events(found) == [*FROM_ROMEO, ("s2", "stored")]


def test_several_probes(verona: RunningLab) -> None:
    shown = verona.command("trace", ROMEO, JULIET, "--count", "3").splitlines()
    assert [line.split(" after ")[0] for line in shown[:3]] == [f"{n}: received at {JULIET}" for n in (1, 2, 3)]
    assert shown[3].startswith("3 probes, 3 arrived; ms: least ")
    found = hops(verona, ROMEO, JULIET, more=["--count", "2"])
    assert events(found) == [*FROM_ROMEO, ("s2", "delivered"), (JULIET, "received")] * 2
    assert "leave out --count" in verona.command(
        "trace", ROMEO, JULIET, "--count", "2", "--format", "mermaid", exit_code=2
    )


@pytest.mark.parametrize("timeout", ["soon", "0s"])
def test_a_timeout_that_is_none(verona: RunningLab, timeout: str) -> None:
    assert "--timeout" in verona.command("trace", ROMEO, JULIET, "--timeout", timeout, exit_code=2)


def test_a_node_that_is_none(verona: RunningLab) -> None:
    assert "(nodes: s1)" in verona.command("trace", ROMEO, JULIET, "--node", "s2", exit_code=2)
    assert events(hops(verona, ROMEO, JULIET, more=["--node", "s1"]))[0] == (ROMEO, "sent")


# --- what a probe waits for


@contextmanager
def disturbed(lab: RunningLab, do: list[str], undo: list[str]) -> Iterator[None]:
    lab.command(*do)
    try:
        yield
    finally:
        lab.command(*undo)


def until_told(command: subprocess.Popen[str], words: str) -> None:
    """Read what it says until it says this, or ends."""
    assert command.stderr is not None
    said = []
    for line in command.stderr:
        said.append(line)
        if words in line:
            return
    raise AssertionError(said)


@contextmanager
def tracing(lab: RunningLab, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    argv = [XMPPLAB, "trace", ROMEO, JULIET, "--timeout", "2m", *arguments]
    with subprocess.Popen(argv, cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as trace:
        try:
            yield trace
        finally:
            trace.kill()


@pytest.mark.parametrize(
    ("do", "undo", "told"),
    [
        (["pause", "s2"], ["resume", "s2"], "waits in the router: s2 is paused"),
        (["fault", "set", "s1", "s2", "--down", "always"], ["fault", "clear"], "s1 → s2 has a fault: down always"),
    ],
)  # fmt: skip
def test_why_a_probe_waits_is_told_while_it_does(verona: RunningLab, do: list[str], undo: list[str], told: str) -> None:
    with disturbed(verona, do, undo), tracing(verona) as trace:
        until_told(trace, told)
        assert trace.poll() is None
        verona.command(*undo)  # and it goes on
        shown, _ = trace.communicate(timeout=PATIENCE_S)
        assert trace.returncode == 0
        assert "dequeued" in shown
        verona.command(*do)


def test_ctrl_c_keeps_the_hops(verona: RunningLab) -> None:
    fault = ["fault", "set", "s1", "s2", "--down", "always"]
    with disturbed(verona, fault, ["fault", "clear"]), tracing(verona) as trace:
        until_told(trace, "down always")
        trace.send_signal(signal.SIGINT)
        shown, _ = trace.communicate(timeout=PATIENCE_S)
        assert trace.returncode == 130
        assert "enqueued" in shown


def test_redis_hangs_while_a_probe_waits(verona: RunningLab) -> None:
    fault = ["fault", "set", "s1", "s2", "--down", "always"]
    with disturbed(verona, fault, ["fault", "clear"]), tracing(verona, "--format", "json") as trace:
        until_told(trace, "down always")
        with disturbed(verona, ["pause", "redis"], ["resume", "redis"]):
            until_told(trace, "redis is paused")
        verona.command("fault", "clear")
        shown, _ = trace.communicate(timeout=PATIENCE_S)
        assert trace.returncode == 0
        assert events(json.loads(shown))[-2:] == [("s2", "delivered"), (JULIET, "received")]


@pytest.mark.parametrize("part", ["redis", "s1"])
def test_no_probe_is_sent_where_nothing_can_be_seen_of_it(verona: RunningLab, part: str) -> None:
    with disturbed(verona, ["pause", part], ["resume", part]):
        shown = verona.command("trace", ROMEO, JULIET, "--timeout", "5m", exit_code=1)
        assert f"{part} is paused (`xmpplab resume {part}`)" in shown


# --- watch


@contextmanager
def watching(lab: RunningLab, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`xmpplab watch`, as soon as it has said that it shows what is wanted."""
    argv = [XMPPLAB, "watch", *arguments]
    with subprocess.Popen(argv, cwd=lab.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        try:
            until_told(watch, "following every stanza" if "--all" in arguments else "--all shows every stanza")
            yield watch
            watch.send_signal(signal.SIGINT)
            assert watch.wait(PATIENCE_S) == 0
        finally:
            watch.kill()


def test_watch_shows_hops_as_they_happen(verona: RunningLab) -> None:
    with watching(verona, "--filter", "trace-") as watch:
        assert watch.stdout is not None

        def is_shown() -> bool:
            """A probe that is sent before `watch` listens is not shown, so send until one is."""
            verona.command("trace", ROMEO, JULIET)
            return _reads_line(watch)

        assert wait_until(is_shown, PATIENCE_S)
        assert f"{ROMEO}/trace-" in watch.stdout.readline()


def test_watch_shows_what_a_real_client_cannot_get_through(verona: RunningLab) -> None:
    """With the default sampling one stanza in a thousand is followed."""
    with watching(verona, "--to", "nobody@capulet.lit", "--format", "json") as watch:
        assert watch.stdout is not None
        with verona.client("benvolio@shakespeare.lit/street") as benvolio:
            benvolio.see("session")

            def is_shown() -> bool:
                benvolio.do("message", to="nobody@capulet.lit", body="hi")
                return _reads_line(watch)

            assert wait_until(is_shown, PATIENCE_S)
        hop = json.loads(watch.stdout.readline())
        assert (hop["node"], hop["event"], hop["from"]) == ("s2", "bounced", "benvolio@shakespeare.lit/street")
        assert "no such account" in hop["detail"]


def test_watch_shows_every_stanza_on_request(verona: RunningLab) -> None:
    with watching(verona, "--all", "--from", "benvolio@shakespeare.lit") as watch:
        assert watch.stdout is not None
        with verona.client("benvolio@shakespeare.lit/street") as benvolio:
            benvolio.see("session")
            benvolio.do("message", to=JULIET, body="hi")
            assert wait_until(lambda: _reads_line(watch), PATIENCE_S)
        assert f"received  message benvolio@shakespeare.lit/street → {JULIET}" in watch.stdout.readline()


def _reads_line(process: subprocess.Popen[str]) -> bool:
    import select

    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0.2)[0])
