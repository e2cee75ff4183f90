"""Runs with the router, nodes and storage of a lab over a simulated Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.lab.api import BadInput
from cluster.router.inbound_link import InboundLink
from cluster.simulated_redis import lua
from cluster.simulation.api import simulate
from cluster.simulation.report import SimulationReport
from tests.unit.cli.shell import VERONA, Shell, shell
from tests.unit.simulation.plans import LATER, LOSSY, TWO_NODES, named, written

__all__ = ["shell"]


def troubled(seed: int = 3) -> SimulationReport:
    return simulate(named("verona"), seed=seed, duration_s=200, people=16, troubles=12, router="redis")


def test_everybody_gets_what_was_written_once_and_in_order() -> None:
    report = simulate(named("verona"), duration_s=240, people=20, router="redis")
    assert report.broken == []
    assert report.messages.sent == report.messages.delivered > 40
    assert report.latency_ms["p50"] < 2


def test_nothing_is_lost_where_nodes_and_redis_crash_and_hang() -> None:
    report = troubled()
    assert report.broken == []
    for what in ("Redis crashed", "Redis was paused", "crashed, and was away", "was paused", "cut off", *LATER):
        assert any(what in trouble for trouble in report.troubles), what


def test_a_domain_of_several_nodes(tmp_path: Path) -> None:
    report = simulate(written(TWO_NODES, tmp_path), duration_s=300, people=20, router="redis")
    assert report.broken == []
    assert report.messages.sent > 30


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_domain_of_several_nodes_in_trouble(tmp_path: Path, seed: int) -> None:
    """Nodes and Redis crash and hang; what such runs have found has tests of its causes, such as
    `tests/unit/membership/test_away.py`."""
    report = simulate(written(TWO_NODES, tmp_path), seed=seed, duration_s=120, people=16, troubles=12, router="redis")
    assert report.broken == []


def test_faults_of_links(tmp_path: Path) -> None:
    report = simulate(written(LOSSY, tmp_path), duration_s=240, people=20, router="redis")
    assert report.messages.lost_by_fault > 2
    assert report.broken == []
    assert report.latency_ms["p90"] == pytest.approx(41.2, abs=0.3), "the delay of the link, wires, and Redis"


def test_a_reader_that_acknowledges_what_it_did_not_take_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of the real router, put in on purpose; the router in memory has no such code."""
    take, count = InboundLink._take, iter(range(1_000_000))

    def forget(link: InboundLink, id: bytes, entry: bytes | None) -> Any:
        return link._settle(id) if next(count) % 20 == 19 else take(link, id, entry)

    monkeypatch.setattr(InboundLink, "_take", forget)
    report = simulate(named("verona"), duration_s=120, people=12, router="redis")
    assert any(each.startswith("lost: ") for each in report.broken)


def test_without_lua_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lua, "lua", None)
    with pytest.raises(BadInput, match=r"pip install 'xmpplab\[simulate\]'"):
        simulate(named("verona"), router="redis")


def test_the_command(shell: Shell) -> None:
    code, out, _ = shell.run("simulate", VERONA, "--for", "2m", "--router", "redis")
    assert code == 0
    assert out.endswith("  promises  all kept\n")
