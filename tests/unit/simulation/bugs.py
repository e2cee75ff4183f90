"""Bugs that are put into the servers on purpose, one at a time, as somebody might make them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cluster.lab.api import read_plans
from cluster.lab.verify.scenario import Scenario
from cluster.membership.memory import MemoryNodes
from cluster.router.memory import MemoryRouter
from cluster.server.im.delivery import MessageDelivery
from cluster.server.im.presence import Presence
from cluster.server.sessions.persistence import SessionPersister
from cluster.server.sessions.port import LocalSession
from cluster.server.sessions.recovery import RecoveredSession
from cluster.server.sessions.session import Session
from cluster.simulation.api import play, simulate
from cluster.store.memory import MemoryOffline
from tests.live.running_lab import ROOT
from tests.unit.simulation.plans import Silent, named

Patch = Callable[[pytest.MonkeyPatch], None]
Run = Callable[[int], list[str]]
"""The names of the promises that a run with this seed breaks."""

BOTH_WAYS = [
    {"from": "romeo@montague.lit", "to": "juliet@capulet.lit", "rate": 40, "duration": "3s"},
    {"from": "juliet@capulet.lit", "to": "romeo@montague.lit", "rate": 40, "duration": "3s"},
]


def scenario(topology: str, steps: list[dict[str, Any]], **keys: Any) -> Run:
    """A scenario on a topology that is included."""
    [plan, *_] = read_plans(ROOT / "topologies" / f"{topology}.yaml")
    document = {"name": "bugs", "flows": BOTH_WAYS, "steps": steps, **keys}
    parsed = Scenario.model_validate(document)

    def run(seed: int) -> list[str]:
        return [each.promise for each in play(plan, parsed, seed=seed, progress=Silent()).report.failures]

    return run


def people(seed: int) -> list[str]:
    """Twenty people of three domains, and crashes."""
    report = simulate(named("verona"), seed=seed, duration_s=240, people=20, troubles=8)
    return [each.partition(":")[0] for each in report.broken]


KILLS = scenario(
    "two-domains", [{"at": "1s", "kill": "s1", "for": "100ms"}, {"at": "2s", "kill": "s2", "for": "100ms"}]
)
NODES = scenario(
    "nodes", [{"at": "500ms", "kill": "s1", "for": "6s"}], flows=[{**each, "duration": "6s"} for each in BOTH_WAYS]
)
LONG_CUT = scenario("two-domains", [{"at": "1s", "cut": "juliet@capulet.lit", "for": "400s"}])
AWAY = scenario(
    "two-domains",
    [{"at": "1s", "kill": "s2", "for": "100ms"}],
    flows=[{**BOTH_WAYS[0], "online": False}],
)


def acknowledge_before_written(patch: pytest.MonkeyPatch) -> None:
    def asked(session: Session) -> None:
        assert session.sm is not None
        session.sm.settle(lambda waits_for: True)
        session._write(session.sm.ack())

    patch.setattr(Session, "asked", asked)


def count_before_kept(patch: pytest.MonkeyPatch) -> None:
    changed = SessionPersister.changed

    def at_once(persister: SessionPersister, session: Session) -> None:
        changed(persister, session)
        if session.sm is not None:
            session.sm.settle(lambda waits_for: True)
        persister._write()

    patch.setattr(SessionPersister, "changed", at_once)


def forget_the_pending_entries(patch: pytest.MonkeyPatch) -> None:
    start = MemoryRouter.start

    async def forget(router: MemoryRouter, *handlers: Any) -> None:
        for from_ in router.network.peers(router.domain):
            queue = router.network.queue(from_, router.domain)
            queue.entries = dict.fromkeys(queue.unread)
        await start(router, *handlers)

    patch.setattr(MemoryRouter, "start", forget)


def swap_two_stages(patch: pytest.MonkeyPatch) -> None:
    """Acknowledge the entries of links before the sessions that have their stanzas are stored."""
    take = MemoryRouter._take

    def at_once(router: MemoryRouter, gate: Any, queue: Any, entry: Any) -> None:
        take(router, gate, queue, entry)
        queue.entries.pop(entry, None)

    patch.setattr(MemoryRouter, "_take", at_once)


def deliver_the_heirs_inbox_late(patch: pytest.MonkeyPatch) -> None:
    read_again, inherits = MemoryNodes._read_again, "_inherits"

    def later(nodes: MemoryNodes, node: str) -> None:
        if getattr(nodes, inherits):
            nodes._clock.callLater(1.0, read_again, nodes, node)
        else:
            read_again(nodes, node)

    patch.setattr(MemoryNodes, "_read_again", later)


def drop_the_answer_to_a_probe(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Presence, "answer_probe", lambda *arguments: None)


def forget_to_send_again(patch: pytest.MonkeyPatch) -> None:
    """A stream is resumed, and what its client had not acknowledged is not sent again."""

    def resumed(port: LocalSession) -> None:
        port._session.move(*port._handle)

    patch.setattr(LocalSession, "on_resumed", resumed)


def restore_a_session_without_its_stanzas(patch: pytest.MonkeyPatch) -> None:
    take_up = RecoveredSession.take_up
    patch.setattr(RecoveredSession, "take_up", lambda session, sent: take_up(session, []))


def drop_stored_messages_when_they_are_read(patch: pytest.MonkeyPatch) -> None:
    page = MemoryOffline.page

    async def read(store: MemoryOffline, localpart: str) -> Any:
        found = await page(store, localpart)
        await store.drop(localpart, len(found))
        return found

    patch.setattr(MemoryOffline, "page", read)


def lose_what_a_session_had_left(patch: pytest.MonkeyPatch) -> None:
    """A session ends without its client, and what it had not acknowledged goes nowhere."""
    patch.setattr(MessageDelivery, "redeliver", lambda *arguments: None)


@dataclass(frozen=True)
class Bug:
    """A bug, and how it is found."""

    name: str
    put: Patch
    run: Run
    seed: int
    """The first one that finds it."""
    breaks: str
    """A promise that is broken then."""


BUGS = [
    Bug("acknowledge before it is written", acknowledge_before_written, KILLS, 2, "lost"),
    Bug("count before it is kept", count_before_kept, KILLS, 2, "lost"),
    Bug("forget the pending entries of a link", forget_the_pending_entries, KILLS, 12, "lost"),
    Bug("swap two stages of a turn", swap_two_stages, KILLS, 12, "lost"),
    Bug("deliver the heir's inbox late", deliver_the_heirs_inbox_late, NODES, 4, "out_of_order"),
    Bug("drop the answer to a probe", drop_the_answer_to_a_probe, people, 1, "wrong presence"),
    Bug("forget to send again on a resumed stream", forget_to_send_again, KILLS, 1, "lost"),
    Bug("restore a session without its stanzas", restore_a_session_without_its_stanzas, KILLS, 1, "lost"),
    Bug("drop stored messages when they are read", drop_stored_messages_when_they_are_read, AWAY, 1, "lost"),
    Bug("lose what an ended session had left", lose_what_a_session_had_left, LONG_CUT, 1, "lost"),
]
