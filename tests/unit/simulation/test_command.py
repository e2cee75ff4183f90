"""`xmpplab simulate`."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from cluster.server.domain import Domain
from tests.unit.cli.shell import VERONA, Shell, shell

__all__ = ["shell"]


def test_a_run_in_words_and_for_programs(shell: Shell) -> None:
    code, out, _ = shell.run("simulate", VERONA, "--for", "10m", "--seed", "7")
    assert code == 0
    assert out.startswith("verona, seed 7: 3 domains, 5 people with 5 devices\n")
    code, printed, _ = shell.run("simulate", VERONA, "--for", "10m", "--seed", "7", "--format", "json")
    [report] = json.loads(printed)
    assert report["digest"] in out
    assert out.endswith("  promises  all kept\n")
    assert report["messages"]["lost"] == 0


def test_several_seeds_are_summed_up(shell: Shell) -> None:
    code, out, _ = shell.run("simulate", VERONA, "--for", "1m", "--seeds", "1..3")
    assert (code, out) == (0, "runs: 3, with broken promises: 0\n")


@pytest.mark.parametrize("seeds", [[], ["--seeds", "1..500"]])
def test_an_interrupted_run_says_how_far_it_came(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, seeds: list[str]
) -> None:
    interrupted = contextmanager(lambda: iter([lambda: True]))
    monkeypatch.setattr("cluster.cli.simulate.noted_interrupts", interrupted)
    code, out, _ = shell.run("simulate", VERONA, "--for", "100h", *seeds)
    assert code == 130
    assert out.endswith("runs: 1 of 500, with broken promises: 0\n" if seeds else "  promises  all kept so far\n")


def test_a_broken_promise_is_a_failure_that_can_be_replayed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Domain, "session_gone", lambda domain, session: None)
    code, out, err = shell.run("simulate", VERONA, "--for", "1m", "--seeds", "5..6")
    assert code == 1
    assert "  BROKEN    left over: " in out
    assert "all kept" not in out
    assert out.endswith("runs: 2, with broken promises: 2\n  left over: seed 5, 6\n")
    assert err == "xmpplab: broken promises with seed 5, 6; `--seed 5` replays the first one\n"
