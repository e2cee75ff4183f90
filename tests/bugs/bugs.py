"""Bugs as somebody might make them, for the servers of a lab and for those of a simulation with either router.

A bug of what exists twice, in memory and over Redis, is put into both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from cluster.membership.memory import MemoryNodes
from cluster.membership.redis import RedisNodes
from cluster.router.inbound_link import InboundLink
from cluster.router.memory import MemoryRouter
from cluster.server.im.delivery import MessageDelivery
from cluster.server.im.presence import Presence
from cluster.server.sessions.persistence import SessionPersister
from cluster.server.sessions.port import LocalSession
from cluster.server.sessions.recovery import RecoveredSession
from cluster.server.sessions.session import Session
from cluster.store.memory import MemoryOffline
from cluster.store.redis_offline import RedisOffline

LATE_S = 1.0
"""By how much an heir is late."""


class Replace(Protocol):
    """`setattr`, or one that can be undone."""

    def __call__(self, target: Any, name: str, value: object, /) -> None: ...


def acknowledge_before_written(replace: Replace) -> None:
    def asked(session: Session) -> None:
        assert session.sm is not None
        session.sm.settle(lambda waits_for: True)
        session._write(session.sm.ack())

    replace(Session, "asked", asked)


def count_before_kept(replace: Replace) -> None:
    changed = SessionPersister.changed

    def at_once(persister: SessionPersister, session: Session) -> None:
        changed(persister, session)
        if session.sm is not None:
            session.sm.settle(lambda waits_for: True)
        persister._write()

    replace(SessionPersister, "changed", at_once)


def forget_the_pending_entries(replace: Replace) -> None:
    """A new reader of a link starts behind what an earlier one was given and had not acknowledged."""
    start, read_on = MemoryRouter.start, InboundLink.read_on

    async def forget(router: MemoryRouter, *handlers: Any) -> None:
        for from_ in router.network.peers(router.domain):
            queue = router.network.queue(from_, router.domain)
            queue.entries = dict.fromkeys(queue.unread)
        await start(router, *handlers)

    def new_ones(link: InboundLink) -> None:
        if not (link._taken or link._known):
            link._cursor = b">"
        read_on(link)

    replace(MemoryRouter, "start", forget)
    replace(InboundLink, "read_on", new_ones)


def swap_two_stages(replace: Replace) -> None:
    """Acknowledge the entries of links before the sessions that have their stanzas are stored."""
    take, take_over_redis = MemoryRouter._take, InboundLink._take

    def at_once(router: MemoryRouter, gate: Any, queue: Any, entry: Any) -> None:
        take(router, gate, queue, entry)
        queue.entries.pop(entry, None)

    def at_once_over_redis(link: InboundLink, id: bytes, entry: bytes | None) -> None:
        take_over_redis(link, id, entry)
        link.acknowledge([id])

    replace(MemoryRouter, "_take", at_once)
    replace(InboundLink, "_take", at_once_over_redis)


def deliver_the_heirs_inbox_late(replace: Replace) -> None:
    """The heir of a node adopts its accounts before it reads its inbox."""
    read_again, inherits, take_over = MemoryNodes._read_again, "_inherits", RedisNodes._take_over

    def later(nodes: MemoryNodes, node: str) -> None:
        if getattr(nodes, inherits):
            nodes._clock.callLater(LATE_S, read_again, nodes, node)
        else:
            read_again(nodes, node)

    async def later_over_redis(nodes: RedisNodes, node: str, restored: list[str]) -> None:
        reader = nodes._inboxes[node]
        start = reader.start

        async def start_later(open_sink: Any) -> None:
            nodes._reactor.callLater(LATE_S, lambda: Deferred.fromCoroutine(start(open_sink)))

        replace(reader, "start", start_later)
        await take_over(nodes, node, restored)

    async def wait_for_nothing(nodes: RedisNodes, node: str) -> None:
        pass

    replace(MemoryNodes, "_read_again", later)
    replace(RedisNodes, "_take_over", later_over_redis)
    replace(RedisNodes, "_wait_until_read", wait_for_nothing)


def drop_the_answer_to_a_probe(replace: Replace) -> None:
    replace(Presence, "answer_probe", lambda *arguments: None)


def forget_to_send_again(replace: Replace) -> None:
    """A stream is resumed, and what its client had not acknowledged is not sent again."""

    def resumed(port: LocalSession) -> None:
        port._session.move(*port._handle)

    replace(LocalSession, "on_resumed", resumed)


def restore_a_session_without_its_stanzas(replace: Replace) -> None:
    take_up = RecoveredSession.take_up
    replace(RecoveredSession, "take_up", lambda session, sent: take_up(session, []))


def drop_stored_messages_when_they_are_read(replace: Replace) -> None:
    for store in (MemoryOffline, RedisOffline):
        _drop_when_read(replace, store)


def _drop_when_read(replace: Replace, store: Any) -> None:
    page = store.page

    async def read(self: Any, localpart: str) -> Any:
        found = await page(self, localpart)
        if found:
            await self.drop(localpart, len(found))
        return found

    replace(store, "page", read)


def lose_what_a_session_had_left(replace: Replace) -> None:
    """A session ends without its client, and what it had not acknowledged goes nowhere."""
    replace(MessageDelivery, "redeliver", lambda *arguments: None)


BUGS: dict[str, Callable[[Replace], None]] = {
    "acknowledge before it is written": acknowledge_before_written,
    "count before it is kept": count_before_kept,
    "forget the pending entries of a link": forget_the_pending_entries,
    "swap two stages of a turn": swap_two_stages,
    "deliver the heir's inbox late": deliver_the_heirs_inbox_late,
    "drop the answer to a probe": drop_the_answer_to_a_probe,
    "forget to send again on a resumed stream": forget_to_send_again,
    "restore a session without its stanzas": restore_a_session_without_its_stanzas,
    "drop stored messages when they are read": drop_stored_messages_when_they_are_read,
    "lose what an ended session had left": lose_what_a_session_had_left,
}
