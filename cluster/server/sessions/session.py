"""A session: one authenticated and bound stream of a client, as the rest of the server sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred

from cluster.base import reasons
from cluster.base.reasons import Reason
from cluster.base.settled import Settled
from cluster.base.turn import Turn
from cluster.host.state import SessionState, to_store
from cluster.server.sessions.directed import Directed
from cluster.store.session import SessionRecord
from cluster.streams.outbox import MAX_UNSENT_BYTES, WINDOW_BYTES, Holdback, Outbox
from cluster.xmpp.errors import StreamCondition, StreamError
from cluster.xmpp.extensions.delay import delayed
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.streams.sm import StreamManagement, Unacknowledged

if TYPE_CHECKING:
    from cluster.server.im.accounts import LocalAccount


MAX_UNSENT_BYTES_OF_ACCOUNT = 16 * MAX_UNSENT_BYTES
"""For all sessions of an account together."""


class SessionLog(Protocol):
    """Persists sessions that can be resumed."""

    sent: int
    """Stanzas for the clients of all sessions."""

    @property
    def turn(self) -> Turn:
        """At its end the client is sent its stanzas."""

    @property
    def now_utc_s(self) -> Callable[[], float]:
        """The time of day."""

    def changed(self, session: Session) -> None:
        """The session changed, or its client asks for the count: write at the end of this turn."""


class Session(Outbox):
    """The state of one resource, and the way to its client."""

    __slots__ = (
        "_leave", "_log", "_shared", "_wants_room",
        "account", "broken_utc_s", "directed", "farewell", "has_no_ids", "is_behind", "is_changed", "jid", "presence",
        "priority", "resumable_until_s", "sent_id", "sm", "state", "unseen",
    )  # fmt: skip

    def __init__(
        self,
        account: LocalAccount,
        jid: Jid,
        log: SessionLog,
        write: Callable[[bytes], None],
        end: Callable[[StreamError], None],
        leave: Callable[[], None],
    ) -> None:
        """`write` sends bytes to the client; `end` closes its stream with an error.

        `leave` tells the stream that the session continues without it.
        """
        super().__init__(log.turn, write, end)
        self.account = account
        self.jid = jid
        self.presence: Stanza | None = None
        """The last presence that it broadcast; None while it is not available (RFC 6121 section 4)."""
        self.farewell: Stanza | None = None
        """The unavailable presence that it broadcast, unless it is available again."""
        self.priority = 0
        self.state: dict[SessionState[Any], Any] = {}
        """The state of modules; a missing key has its default."""
        self.has_no_ids = False
        """It sent an iq without an id."""
        self.sent_id = ""
        """The id of the message that is being handled: the same if its client sends it again after a crash. Empty if a
        second one cannot be told from the first."""
        self.directed = Directed()
        """The receivers of its directed presence, who must be told when it goes (RFC 6121 section 4.6)."""
        self.sm: StreamManagement | None = None
        """What is acknowledged on its stream, and can be resumed (XEP-0198); None if it is not enabled."""
        self.broken_utc_s: float | None = None
        """The time from which it has no stream, in seconds since the epoch; None while it has one."""
        self.resumable_until_s: float | None = None
        """By the steady clock of this process, while it has no stream."""
        self.is_changed = False
        """Its stored form may be outdated."""
        self.is_behind = False
        """Older messages than the next one wait in the store, until it has read what it was sent."""
        self.unseen: dict[Jid, None] = {}
        """Contacts whose presence was left out for want of room: they are to be asked for it."""
        self._wants_room: list[Deferred[bool]] = []
        self._shared: dict[int, tuple[Session, ...]] = {}  # by the identity of unwritten stanzas
        self._log = log
        self._leave = leave

    @property
    def available(self) -> bool:
        """RFC 6121 section 4.2: it has sent initial presence."""
        return self.presence is not None

    def begins_with(self, presence: Stanza) -> bool:
        """Whether this would be its initial presence: contacts are to be asked for theirs."""
        return self.presence is None

    @property
    def accepting_messages(self) -> bool:
        """Whether it accepts messages to the bare JID: its priority is not negative (RFC 6121 section 8.5.2)."""
        return self.presence is not None and self.priority >= 0 and not self.is_behind

    @property
    def why_not_now(self) -> Reason | None:
        """Why its client does not get at once what it is sent; None where nothing is known to be in the way."""
        if self.broken_utc_s is not None:
            return reasons.HIBERNATING
        return reasons.CLIENT_INACTIVE if self.holdback is not None else None

    def is_visible_to(self, other: Jid | None) -> bool:
        """The other may know that this resource is here: by subscription, by directed presence, or as its own.

        Who was told by one resource may ask by another: those in a room are resources of it (XEP-0045 section 17.4).
        """
        if other is None or other.bare == self.account.jid or self.account.shows_presence_to(other):
            return True
        is_own_server = not other.localpart and other.domainpart == self.jid.domainpart
        return is_own_server or other in self.directed or any(each.bare == other.bare for each in self.directed)

    @property
    def is_bound(self) -> bool:
        """Whether it is one of its account's; False once it has ended."""
        return self.account.sessions.get(self.jid.resourcepart) is self

    def changed(self) -> None:
        """Its stored form must be written again."""
        self.is_changed = True
        if self.is_resumable:
            self._log.changed(self)

    def record(self) -> SessionRecord:
        """Its stored form, without its stanzas."""
        assert self.sm is not None
        return SessionRecord(
            id=self.sm.id, jid=self.jid, timeout_s=self.sm.timeout_s, broken_utc_s=self.broken_utc_s,
            presence=self.presence, farewell=self.farewell, priority=self.priority, state=to_store(self.state),
        )  # fmt: skip

    # --- pushes of the server

    @property
    def waiting_bytes(self) -> int:
        """Bytes that it was sent and has not read, or not acknowledged on a managed stream."""
        return self._unsent_bytes + (self.sm.size_bytes if self.sm is not None else 0)

    @property
    def max_unsent_bytes(self) -> int:
        """The limit of waiting bytes: less if its account has many sessions, none of which may read."""
        return min(MAX_UNSENT_BYTES, MAX_UNSENT_BYTES_OF_ACCOUNT // max(len(self.account.sessions), 1))

    @property
    def is_full(self) -> bool:
        """Whether it must not be pushed more now: see `when_room`."""
        return self.waiting_bytes > WINDOW_BYTES

    def when_room(self) -> Deferred[bool]:
        """Fires with True when it has read most of what it was sent, on this stream or a later one. With False if it
        ends before that."""
        room: Deferred[bool] = Deferred()
        self._wants_room.append(room)
        return room

    def _has_room(self, never: bool = False) -> None:
        if self._wants_room and (never or self.waiting_bytes <= WINDOW_BYTES // 2):
            wanted, self._wants_room = self._wants_room, []
            for room in wanted:
                room.callback(not never)

    # --- stream management (XEP-0198)

    @property
    def is_resumable(self) -> bool:
        """Whether it survives its connection, and the process."""
        return self.sm is not None and self.sm.is_resumable

    def manage(self, management: StreamManagement) -> None:
        """Count stanzas from here on."""
        self.sm = management
        self.is_changed = True
        self._log.changed(self)
        self.resume()  # its stanzas are bounded by what it does not acknowledge; see `pause`

    def received(self, settled: Settled, kind: str = "") -> None:
        """The client sent one more stanza, which is handled when `settled` has settled."""
        if self.sm is None:
            return
        if self.sm.received(settled) and settled is not None:
            settled.addBoth(self._on_settled, settled)
        self.is_changed = self.is_changed or kind != "message"  # any other may have changed the session
        if self.sm.is_resumable:
            self._log.changed(self)

    def _on_settled(self, result: Any, settled: Deferred[Any]) -> Any:
        assert self.sm is not None
        self.sm.settled(settled)
        self._log.changed(self)
        return result

    def asked(self) -> None:
        """The client asks for the count: tell it as soon as that is stored."""
        assert self.sm is not None
        self.sm.asked()
        self._log.changed(self)

    def acknowledged(self, h: int) -> None:
        """The client has handled `h` stanzas. Raises StreamError for more than it was sent."""
        assert self.sm is not None
        if request := self.sm.acknowledged(h):
            self.write(request)
        if self.sm.is_resumable:
            self._log.changed(self)
        self._has_room()

    def noted(self, handled: int, written: list[Unacknowledged]) -> None:
        """This count, and these stanzas for the client, are stored: both may be told now."""
        assert self.sm is not None
        data = b"".join([each.stanza.raw for each in written]) + self.sm.written(len(written)) if written else b""
        if data := data + self.sm.tell(handled):
            self._write(data)

    def write(self, nonza: bytes) -> None:
        """Write an element that is not a stanza, after earlier stanzas."""
        self.flush()
        self._write(nonza)
        self.wrote(len(nonza))

    def flush(self) -> None:
        """Write what waits, if the client reads; for a resumable session, as soon as it is stored."""
        if self.is_resumable:
            self._log.changed(self)
        else:
            super().flush()
            if self.sm is not None:
                self.check_size()
            if self._wants_room:
                self._has_room()

    def check_size(self) -> None:
        """End the stream of a client that does not acknowledge its stanzas."""
        if self.sm is not None and self.sm.size_bytes > WINDOW_BYTES and self.sm.size_bytes > self.max_unsent_bytes:
            self.end(StreamCondition.POLICY_VIOLATION, "the client does not acknowledge what it is sent")

    def finish(self) -> None:
        """The stream ends here: write all that waits, stored or not."""
        if self.sm is not None and self.sm.is_resumable:
            self.number()
            self._write(self.sm.write_all())
        else:
            self.flush()

    def pause(self) -> None:
        """The client does not read; a resumable session stores its stanzas anyway."""
        if not self.is_resumable:
            super().pause()

    def hold_back(self, holdback: Holdback) -> None:
        """Hold back stanzas that the client does not want now."""
        super().hold_back(holdback)
        self.is_changed = True
        self.flush()

    def stop_holdback(self) -> None:
        """Send the held stanzas, and hold back no more."""
        super().stop_holdback()
        self.is_changed = True
        self.flush()

    def share(self, stanza: Stanza, sessions: tuple[Session, ...]) -> None:
        """The last stanza went to all of these: if one of them never gets it, another one has it."""
        self._shared[id(stanza)] = sessions

    def number(self) -> list[Unacknowledged]:
        """Number new stanzas, which are unacknowledged from now on; the caller writes them, or has them stored
        first."""
        unsent, self._unsent, self._unsent_bytes = self._unsent, [], 0
        self._log.sent += len(unsent)
        return self._number(unsent)

    def _number(self, stanzas: list[Stanza]) -> list[Unacknowledged]:
        assert self.sm is not None
        numbered = self._unacknowledged(stanzas)
        self.sm.number(numbered)
        return numbered

    def _on_wire(self, stanzas: list[Stanza]) -> bytes:
        self._log.sent += len(stanzas)
        data = super()._on_wire(stanzas)
        if self.sm is None:
            self._shared.clear()
            return data
        return data + self.sm.written(len(self._number(stanzas)))

    def _unacknowledged(self, stanzas: list[Stanza]) -> list[Unacknowledged]:
        now_utc_s, shared = self._log.now_utc_s(), self._shared
        if not shared:
            return [Unacknowledged(stanza, now_utc_s) for stanza in stanzas]
        self._shared = {}
        return [Unacknowledged(stanza, now_utc_s, shared.get(id(stanza), ())) for stanza in stanzas]

    def move(
        self,
        write: Callable[[bytes], None],
        end: Callable[[StreamError], None],
        leave: Callable[[], None],
        broken_utc_s: float | None = None,
    ) -> None:
        """Continue with another stream, or without one since `broken_utc_s`. The other arguments are those of a new
        session."""
        self._leave()
        self._write, self._end, self._leave = write, end, leave
        self.broken_utc_s, self.resumable_until_s = broken_utc_s, None
        self.stop_holdback()  # XEP-0352 section 5.2: every stream begins active
        self.resume()

    def take_unsent(self) -> list[Stanza]:
        """The stanzas that an ended session never sent, or whose client has not acknowledged them; oldest first.

        Without those that another session got too: while that exists, it answers for the stanza.
        """
        self._has_room(never=True)
        unsent = super().take_unsent()
        left = self._unacknowledged(unsent)
        if self.sm is not None:
            left = [*self.sm.take_unacknowledged(), *left]
        lost = [each for each in left if not any(isinstance(s, Session) and s.is_bound for s in each.sent_to)]
        if self.sm is None:
            return [each.stanza for each in lost]
        domain = self.jid.domainpart
        return [
            delayed(each.stanza, domain, each.sent_utc_s) if each.stanza.kind == "message" else each.stanza
            for each in lost
        ]
