"""What servers keep of people who have gone: leaks are put in, one at a time, and each is found."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol

from cluster.server.domain import Domain
from cluster.server.im.accounts import Accounts
from cluster.server.sessions.session import Session
from cluster.simulation import leaks
from cluster.simulation.api import simulate
from cluster.simulation.lab import SimulatedLab
from cluster.streams.outbox import MAX_UNSENT_BYTES
from cluster.virtual.transport import BUFFER_BYTES
from tests.unit.simulation.plans import named

A_DAY_S = 86_400.0
attach, session_gone = Accounts.attach, Domain.session_gone


def found() -> list[str]:
    report = simulate(named("verona"), duration_s=60, people=12)
    assert [each.partition(":")[0] for each in report.broken] == (["leaks"] if report.leaks else [])
    return report.leaks


def test_nothing_grows() -> None:
    assert found() == []


def test_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    def remember(accounts: Accounts, session: Session) -> None:
        accounts.__dict__.setdefault("all_so_far", []).append(session.jid)
        attach(accounts, session)

    monkeypatch.setattr(Accounts, "attach", remember)
    assert "s1: Accounts.all_so_far has grown from" in found()[0]


def test_it_is_told_of_the_server_that_has_it_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each look would be at the whole network, for each server again."""

    def remember(accounts: Accounts, session: Session) -> None:
        if session.jid.domainpart == "montague.lit":
            accounts.__dict__.setdefault("all_so_far", []).append(session.jid)
        attach(accounts, session)

    monkeypatch.setattr(Accounts, "attach", remember)
    assert [each.partition(":")[0] for each in found()] == ["s1"]


def test_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget_not(accounts: Accounts, session: Session) -> None:
        accounts.__dict__.setdefault("last", {})[session] = None
        attach(accounts, session)

    monkeypatch.setattr(Accounts, "attach", forget_not)
    assert any("Session." in each for each in found()), "what it holds is told, too"


def test_a_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_again(domain: Domain, session: Session) -> None:
        domain.context.clock.callLater(A_DAY_S, forgotten)
        session_gone(domain, session)

    def forgotten() -> None:
        """It is never called."""

    monkeypatch.setattr(Domain, "session_gone", look_again)
    assert any("forgotten has grown from" in each for each in found())


def test_what_is_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(leaks.BOUNDS, "SessionPersister._over", 2)
    assert any("SessionPersister._over has" in each and "its bound is 2" in each for each in found())


def test_a_buffer_of_somebody_who_does_not_read() -> None:
    lab = SimulatedLab(named("verona"), 1)
    Deferred.fromCoroutine(lab.start())
    client = lab.network.host("client")
    client.connectTCP("s1", lab.planned["s1"].c2s_port, ClientFactory.forProtocol(Protocol))
    lab.let_pass(1, lambda: None)
    lab.network.cut("client", "s1")
    [stream] = lab.nodes["s1"].server.clients.streams
    stream.transport.write(bytes(MAX_UNSENT_BYTES))
    assert leaks.look(lab, ["s1"]).beyond == []
    stream.transport.write(bytes(BUFFER_BYTES + 1))
    assert "bytes waited for one peer that did not read" in leaks.look(lab, ["s1"]).beyond[0]
