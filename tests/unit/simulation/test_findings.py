"""A server that does not keep its promises is found out: bugs that are put in on purpose, one at a time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from twisted.internet.defer import succeed

from cluster.router.memory import MemoryLink
from cluster.server.c2s.client_stream import ClientStream
from cluster.server.domain import Domain
from cluster.server.im.presence import Presence
from cluster.server.sessions.session import Session
from cluster.simulation.api import simulate
from cluster.simulation.checker import Checker
from cluster.simulation.report import SimulationReport
from cluster.store.memory import MemoryRosters
from cluster.store.memory_archives import MemoryArchives
from cluster.xmpp.stanza import Stanza
from tests.unit.simulation.plans import named


def run() -> SimulationReport:
    return simulate(named("verona"), duration_s=240, people=12)


def words(report: SimulationReport) -> list[str]:
    return [each.partition(":")[0] for each in report.broken]


def test_a_router_that_loses_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    send, count = MemoryLink.send, iter(range(100_000))

    def lose(link: MemoryLink, stanza: Any) -> Any:
        return (
            None
            if isinstance(stanza, Stanza) and stanza.kind == "message" and next(count) % 20 == 0
            else send(link, stanza)
        )

    monkeypatch.setattr(MemoryLink, "send", lose)
    report = run()
    assert words(report) == ["lost"]
    assert any(example.startswith("lost: m") for example in report.examples)


def test_a_router_that_sends_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    send, count = MemoryLink.send, iter(range(100_000))

    def repeat(link: MemoryLink, stanza: Any) -> Any:
        if isinstance(stanza, Stanza) and stanza.kind == "message" and next(count) % 20 == 0:
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


def test_an_archive_that_lacks_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    append, count = MemoryArchives.append, iter(range(100_000))

    def forget(archives: MemoryArchives, localpart: str, *what: Any) -> Any:
        return succeed(None) if next(count) % 20 == 0 else append(archives, localpart, *what)

    monkeypatch.setattr(MemoryArchives, "append", forget)
    report = run()
    assert words(report) == ["wrong archives"]
    assert "delivered messages, such as m" in report.archives[0]


def test_an_archive_of_what_was_not_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    count = iter(range(100_000))
    send = Session.send

    def lose(session: Session, stanza: Any) -> None:
        if stanza.kind != "message" or next(count) % 20:
            send(session, stanza)

    monkeypatch.setattr(Session, "send", lose)
    assert words(run()) == ["lost", "wrong archives"]


def test_a_contact_that_forgets_whom_it_sends_presence_to(monkeypatch: pytest.MonkeyPatch) -> None:
    load, put = MemoryRosters.load, MemoryRosters.put

    async def forget(store: MemoryRosters, localpart: str) -> Any:
        found = await load(store, localpart)
        if localpart == "romeo":
            found = {jid: msgspec.structs.replace(item, subscription="to") for jid, item in found.items()}
        return found

    async def refuse(store: MemoryRosters, localpart: str, item: Any) -> None:
        """What a server learns from the answer to its probe is not kept."""
        if item.jid not in await load(store, localpart):
            await put(store, localpart, item)

    monkeypatch.setattr(MemoryRosters, "load", forget)
    monkeypatch.setattr(MemoryRosters, "put", refuse)
    report = run()
    assert "rosters that disagree" in words(report)
    assert "has romeo@montague.lit as 'both', which has it as 'to'" in report.rosters[0]


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
    first, second, third, fourth = (checker.new_id("0.0", "1", at_ns) for at_ns in (0, 10, 20, 30))
    assert checker.arrived(second, "1.0", 1_000_000, 5, b"mark of second") == "0.0"
    assert checker.arrived(first, "1.0", 2_000_000, 5, b"") == "0.0"
    assert checker.arrived(second, "1.0", 3_000_000, 5, b"mark of second") is None
    assert checker.arrived(second, "1.0", 3_000_000, 5, b"another mark") is None
    assert checker.arrived(first, "1.0", 3_000_000, 5, b"") is None
    assert checker.arrived(third, "2.0", 3_000_000, 5, b"") is None
    checker.came_back(third, "service-unavailable")
    checker.came_back(third, "again")
    lost, by_fault = checker.lost({})
    found = msgspec.structs.asdict(checker.messages(lost, by_fault))
    assert {name: count for name, count in found.items() if count} == {
        "sent": 4, "delivered": 2, "waited": 1, "lost": 1, "bounced": 1,
        "out_of_order": 1, "duplicated": 2, "duplicated_same_id": 1, "misdelivered": 1,
    }  # fmt: skip
    assert checker.lost({fourth: None}) == (0, 1)
    assert checker.percentiles_ms()["max"] == pytest.approx(1.0, abs=0.001), "the first one waited"


def test_a_copy_over_streams_that_no_client_can_tell_is_counted_apart() -> None:
    checker = Checker(lambda from_, to: (from_, to) == ("0", "1"))
    for number, (from_, to) in enumerate([("0", "1"), ("1", "0")]):
        id = checker.new_id(f"{from_}.0", to, number)
        assert checker.arrived(id, f"{to}.0", 1_000_000, 5, b"a mark") == f"{from_}.0"
        assert checker.arrived(id, f"{to}.0", 2_000_000, 5, b"another mark") is None
    found = checker.messages(0, 0)
    assert (found.duplicated_over_streams, found.duplicated, found.duplicated_same_id) == (1, 1, 0)
