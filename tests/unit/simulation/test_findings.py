"""A server that does not keep its promises is found out: bugs that are put in on purpose, one at a time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cluster.router.memory import MemoryLink
from cluster.server.c2s.client_stream import ClientStream
from cluster.server.domain import Domain
from cluster.server.im.presence import Presence
from cluster.simulation.api import simulate
from cluster.simulation.checker import Checker
from cluster.simulation.report import SimulationReport
from tests.unit.simulation.plans import named


def run() -> SimulationReport:
    return simulate(named("verona"), duration_s=900, people=20)


def words(report: SimulationReport) -> list[str]:
    return [each.partition(":")[0] for each in report.broken]


def test_a_router_that_loses_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    send, count = MemoryLink.send, iter(range(100_000))

    def lose(link: MemoryLink, stanza: Any) -> Any:
        return None if stanza.kind == "message" and next(count) % 20 == 0 else send(link, stanza)

    monkeypatch.setattr(MemoryLink, "send", lose)
    report = run()
    assert words(report) == ["lost"]
    assert any(example.startswith("lost: m") for example in report.examples)


def test_a_router_that_sends_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    send, count = MemoryLink.send, iter(range(100_000))

    def repeat(link: MemoryLink, stanza: Any) -> Any:
        if stanza.kind == "message" and next(count) % 20 == 0:
            send(link, stanza)
        return send(link, stanza)

    monkeypatch.setattr(MemoryLink, "send", repeat)
    assert words(run()) == ["duplicated"]


def test_a_goodbye_that_nobody_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who has left is still shown as there."""
    monkeypatch.setattr(Presence, "leave", lambda presence, session, stanza=None: None)
    report = run()
    assert "wrong presence" in words(report)
    assert "@" in report.presence[0]
    assert "who is away from the network" in report.presence[0]


def test_a_session_that_is_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Domain, "session_gone", lambda domain, session: None)
    assert "left over" in words(run())


def test_an_exception_that_is_only_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    rest, fails = ClientStream.rest_if_idle, [True]

    def fail_once(stream: ClientStream) -> None:
        if fails:
            fails.clear()
            raise ZeroDivisionError
        rest(stream)

    monkeypatch.setattr(ClientStream, "rest_if_idle", fail_once)
    report = run()
    assert words(report) == ["errors"]
    assert report.errors == 1


def test_each_fate_of_a_message() -> None:
    checker = Checker()
    first, second, third, fourth = (checker.new_id(0, 1, at_ns) for at_ns in (0, 10, 20, 30))
    assert checker.arrived(second, 1, 1_000_000, 5, b"mark of second") == 0
    assert checker.arrived(first, 1, 2_000_000, 5, b"") == 0
    assert checker.arrived(second, 1, 3_000_000, 5, b"mark of second") is None
    assert checker.arrived(second, 1, 3_000_000, 5, b"another mark") is None
    assert checker.arrived(first, 1, 3_000_000, 5, b"") is None
    assert checker.arrived(third, 2, 3_000_000, 5, b"") is None
    checker.came_back(third, "service-unavailable")
    checker.came_back(third, "again")
    lost, by_fault = checker.lost({})
    found = checker.messages(lost, by_fault)
    assert msgspec.structs.asdict(found) == {
        "sent": 4, "delivered": 2, "waited": 1, "under_way": 0, "lost": 1, "lost_by_fault": 0, "bounced": 1,
        "out_of_order": 1, "duplicated": 2, "duplicated_same_id": 1, "misdelivered": 1,
    }  # fmt: skip
    assert checker.lost({fourth: None}) == (0, 1)
    assert checker.percentiles_ms()["max"] == pytest.approx(1.0, abs=0.001), "the first one waited"
