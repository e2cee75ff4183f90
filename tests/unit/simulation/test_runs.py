"""Whole runs: the promises hold, and the same seed gives the same run."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from cluster.server.build import Server
from cluster.server.c2s.client_stream import ClientStream
from cluster.simulation import run
from cluster.simulation.api import RouterKind, simulate
from cluster.simulation.collection import collected_by_events
from cluster.simulation.errors import logged_errors
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.person import Person
from cluster.simulation.population import Population, with_people
from tests.unit.simulation.plans import LATER, LOSSY, TWO_NODES, named, written


def test_everybody_gets_what_was_written_once_and_in_order() -> None:
    report = simulate(named("verona"), duration_s=3600)
    assert report.broken == []
    assert report.is_complete
    assert report.messages.sent == report.messages.delivered > 50
    assert report.messages.waited > 0, "somebody was away, and got it later"
    assert report.breaks > 0, "streams were resumed"
    assert report.virtual_s > 3600
    assert report.latency_ms["p50"] == pytest.approx(1.0), "two wires of 0.5 ms"


def test_more_people_than_the_topology_has() -> None:
    report = simulate(named("verona"), duration_s=150, people=20)
    assert (report.people, report.broken) == (20, [])
    assert report.messages.sent > 30


def test_nothing_is_lost_where_nodes_crash_and_clients_are_cut_off() -> None:
    report = simulate(named("verona"), seed=3, duration_s=200, people=16, troubles=16)
    assert report.broken == []
    for what in ("crashed", "was paused", "cut off", *LATER):
        assert sum(what in trouble for trouble in report.troubles) == 2, what


def test_a_domain_of_several_nodes(tmp_path: Path) -> None:
    report = simulate(written(TWO_NODES, tmp_path), duration_s=150, people=20)
    assert report.broken == []
    assert report.messages.sent > 30


def test_what_a_fault_of_a_link_takes_is_no_loss_of_ours(tmp_path: Path) -> None:
    report = simulate(written(LOSSY, tmp_path), duration_s=240, people=20)
    assert report.messages.lost_by_fault > 2
    assert report.broken == []
    assert report.latency_ms["p90"] == pytest.approx(41.0, abs=0.1), "the delay of the link, and two wires"


def test_many_people_come_and_go_in_groups_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, each would have an awake session at the same moment."""
    leave, went = Person.leave, Counter[float]()

    def count(person: Person) -> None:
        went[person.lab.timeline.seconds()] += 1
        leave(person)

    monkeypatch.setattr(Person, "leave", count)
    monkeypatch.setattr(run, "AT_ONCE", 8)
    report = simulate(named("verona"), duration_s=60, people=20)
    assert report.broken == []
    assert [*went.values()][:3] == [8, 8, 4]


def test_an_interrupted_run_tells_what_is_known_so_far() -> None:
    told: list[str] = []
    report = simulate(
        named("verona"), duration_s=36_000, people=30, tell=told.append, is_stopped=lambda: len(told) >= 2
    )
    assert not report.is_complete
    assert 0 < report.virtual_s < 36_000
    found = report.messages
    assert found.sent == found.delivered + found.under_way > 0
    assert report.broken == []
    assert told[0].startswith("running: ")


@pytest.mark.parametrize("router", ["memory", "redis"])
def test_nothing_is_kept_of_servers_that_have_crashed(router: RouterKind) -> None:
    """Nor of what was logged about them: a run may have any number of crashes."""
    lab = SimulatedLab(with_people(named("verona"), 20, 1), 1, router=router)
    population = Population(lab, range(20))
    with logged_errors(), collected_by_events(lab.timeline, 20):
        Deferred.fromCoroutine(lab.start())
        for each in population.resources:
            each.device.come()
        for _ in range(3):
            lab.let_pass(20.0, lambda: None)
            lab.crash("s1")
            lab.let_pass(1.0, lambda: None)
            lab.start_node("s1")
        lab.let_pass(20.0, lambda: None)
        gc.collect()
        alive = Counter(type(each) for each in gc.get_objects())
    assert sum(each.device.is_online for each in population.resources) == 20
    assert alive[Server] == len(lab.nodes)
    assert alive[ClientStream] == sum(len(node.server.clients.streams) for node in lab.nodes.values())
