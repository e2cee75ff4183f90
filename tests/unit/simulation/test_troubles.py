"""Each kind of trouble of its own: what it does, and that all promises hold."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from cluster.simulation.api import RouterKind, simulate
from cluster.simulation.late_store import Answers, Disk
from cluster.simulation.report import SimulationReport
from cluster.simulation.troubles import Troubles
from cluster.simulation.wall_clock import START_UTC_S, WallClock
from cluster.store import archive
from cluster.virtual.network import Network
from cluster.virtual.timeline import NS, Timeline
from tests.unit.simulation.plans import named

KINDS = ["_lose_power", "_set_clock", "_slow_down_disk", "_slow_down_link"]


def run(monkeypatch: pytest.MonkeyPatch, kind: str, router: RouterKind = "memory", seed: int = 1) -> SimulationReport:
    monkeypatch.setattr(Troubles, "_kinds", lambda troubles: [getattr(troubles, kind)])
    return simulate(named("verona"), seed=seed, duration_s=150, people=12, troubles=6, router=router)


@pytest.mark.parametrize("router", ["memory", "redis"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_keeps_all_promises(monkeypatch: pytest.MonkeyPatch, kind: str, router: Any) -> None:
    report = run(monkeypatch, kind, router)
    assert report.broken == []
    assert len(report.troubles) > 3


@pytest.mark.parametrize("kind", ["_lose_power", "_slow_down_disk", "_slow_down_link"])
def test_each_kind_is_felt(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """What a wrong clock does is in an archive; see below."""
    report = run(monkeypatch, kind)
    monkeypatch.setattr(Troubles, kind, lambda *what: None)
    assert run(monkeypatch, kind).digest != report.digest


def test_an_archive_that_goes_back_with_a_clock_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_at", lambda message, time_utc_s: message)
    report = run(monkeypatch, "_set_clock")
    assert [each.partition(":")[0] for each in report.broken] == ["wrong archives"]
    assert report.archives[0].endswith("goes back in time")


def test_a_clock_is_wrong_until_it_is_set_right() -> None:
    timeline = Timeline()
    clock = WallClock(timeline)
    timeline.run(10 * NS)
    assert clock.utc_s() == START_UTC_S + 10
    clock.put_ahead(-5.0, 0.001)
    assert clock.utc_ns() == (START_UTC_S + 5) * NS
    timeline.run(110 * NS)
    assert clock.utc_s() == pytest.approx(START_UTC_S + 105.1)
    clock.put_ahead(0.0)
    assert (clock.utc_s(), clock.ahead_s) == (START_UTC_S + 110, 0)


def test_a_slow_disk_answers_late_and_in_order() -> None:
    timeline, disk, got = Timeline(), Disk(), []
    answers = Answers(disk, Network(timeline).host("s1"))

    async def one() -> int:
        return 1

    def ask(answer: Any) -> None:
        late = answers.late(answer)
        (late if isinstance(late, Deferred) else Deferred.fromCoroutine(late)).addCallback(got.append)

    ask(one())
    assert got == [1], "at once"
    disk.takes_s = lambda: 2.0
    for answer in (one(), succeed(2), succeed(3)):
        ask(answer)
    assert answers.late(None) is None
    timeline.run(1 * NS)
    assert got == [1]
    disk.takes_s = None
    ask(succeed(4))
    timeline.run(2 * NS)
    assert got == [1, 1, 2, 3, 4], "what came during a write is in the next one, which takes no time"
