"""All rooms of a service: lookup, creation, storage and deletion; incoming stanzas are handled one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base import reasons
from cluster.base.settled import Settled
from cluster.server.services.service import ServiceContext, ServiceState
from cluster.services.rooms.history import is_said
from cluster.services.rooms.room import Room, Session
from cluster.services.rooms.settings import MAX_WAITING, SHARE_OF_ACCOUNT, SHARE_OF_DOMAIN, RoomsSettings
from cluster.store.rooms import Affiliate, Affiliation, RoomChange, RoomRecord, RoomSettings
from cluster.trace.hop import Event
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, addressed

_ID_BYTES = 20
Take = Callable[["Rooms", Stanza], Settled]

_log = Logger()


class Rooms:
    """The rooms of one service."""

    def __init__(self, ctx: ServiceContext) -> None:
        self.ctx = ctx
        self.settings: RoomsSettings = ctx.service.settings
        self.rooms: dict[str, Room] = {}
        """By localpart."""
        self._created: Counter[str] = Counter()
        """Rooms that were created since the service began, and are still there: by bare JID, and by domain."""
        self._id_secret = b""
        self._waking: dict[str, list[tuple[Take, Stanza, Deferred[Any]]]] = {}
        """Stanzas that wait for a room whose history is being read, by localpart."""
        self._is_busy = False
        self._next: list[tuple[Take, Stanza]] = []
        """Stanzas that arrived while another one was being handled, such as errors that it caused; handled after it."""

    # --- rooms

    def room(self, localpart: str) -> Room:
        """The room with this localpart. Raises StanzaError if there is none."""
        room = self.rooms.get(localpart)
        if room is None:
            raise StanzaError(
                Condition.ITEM_NOT_FOUND, f"no room {localpart}@{self.ctx.domain}", reason=reasons.NO_ROOM
            )
        return room

    def create(self, localpart: str, owner: Jid) -> Room:
        """A new room, locked until it is configured (XEP-0045 section 10.1). Raises StanzaError."""
        creation = self.settings.creation
        if creation == "nobody" or (creation == "local" and owner.domainpart != self.ctx.server_domain):
            raise StanzaError(Condition.NOT_ALLOWED, "you may not create rooms here", reason=reasons.NO_ROOM)
        if not owner.localpart:  # an affiliation of a domain is one of all its accounts (section 9.2)
            raise StanzaError(Condition.NOT_ALLOWED, "a whole domain cannot own a room; enter one that is there")
        if len(self.rooms) >= self.settings.max_rooms:
            raise _too_many(f"there are {self.settings.max_rooms} rooms already")
        self._check_share(owner)
        owners = {owner: Affiliate(Affiliation.OWNER)}
        room = Room(Jid(localpart, self.ctx.domain), RoomRecord(RoomSettings(), affiliates=owners))
        room.is_locked = room.is_awake = True
        room.creator = owner
        self._created.update((str(owner), owner.domainpart))
        self.rooms[localpart] = room
        return room

    def _check_share(self, owner: Jid) -> None:
        """Raises StanzaError where an account, or the accounts of another domain, have created their share of the rooms
        that may be here: else one could leave none to the others."""
        most = self.settings.max_rooms
        if self._created[str(owner)] >= max(1, most // SHARE_OF_ACCOUNT):
            raise _too_many("you have created as many rooms as one account may")
        is_foreign = owner.domainpart != self.ctx.server_domain
        if is_foreign and self._created[owner.domainpart] >= max(1, most // SHARE_OF_DOMAIN):
            raise _too_many(f"accounts of {owner.domainpart} have created as many rooms as those of one domain may")

    def unlock(self, room: Room) -> Settled:
        """Let others in, and store the room."""
        room.is_locked = False
        inside = {jid: session.occupant.nick for jid, session in room.sessions.items()}
        return self.note(room, settings=room.settings, affiliates=dict(room.affiliates), entered=inside)

    def forget(self, room: Room) -> Settled:
        """Remove the room."""
        del self.rooms[room.jid.localpart]
        if room.creator is not None:
            self._created -= Counter((str(room.creator), room.creator.domainpart))
        return None if room.is_locked else self.ctx.store.rooms.delete(room.jid.localpart)

    def forget_if_deserted(self, room: Room) -> Settled:
        """After the last occupant has left, remove a temporary room (section 4.2), and free the history of others."""
        if room.sessions or not self.has(room):
            return None
        if room.settings.is_persistent:
            room.rest()
            return None
        return self.forget(room)

    def has(self, room: Room) -> bool:
        """Whether the room is still there. Nothing is stored of one that has ended: a later one may have its name."""
        return self.rooms.get(room.jid.localpart) is room

    def note(self, room: Room, **changes: Any) -> Settled:
        """Store a change of a room; `changes` are fields of `RoomChange`. A locked room is not stored."""
        if room.is_locked or not self.has(room):
            return None
        return self.ctx.store.rooms.note(RoomChange(room.jid.localpart, **changes))

    async def load(self) -> None:
        """Read all rooms; histories are read at the first stanza for a room."""
        secret = await self.ctx.store.secrets.get("occupant ids", f"{self.ctx.new_id()}{self.ctx.new_id()}".encode())
        self._id_secret = secret[: blake2b.MAX_KEY_SIZE]
        for name in await self.ctx.store.rooms.names():
            record = await self.ctx.store.rooms.load(name)
            if record is not None:
                room = self.rooms[name] = Room(Jid(name, self.ctx.domain), record)
                room.former = record.occupants

    def occupant_id(self, room: Room, bare: Jid) -> str:
        """The occupant-id of an account in a room: stable, and not guessable (XEP-0421 section 4.1)."""
        keyed = blake2b(f"{room.jid}\0{bare}".encode(), key=self._id_secret, digest_size=_ID_BYTES)
        return keyed.hexdigest()

    # --- outgoing

    def send(self, stanza: Stanza, sessions: Iterable[Session]) -> Settled:
        """Send a copy of the stanza, which has no `to` in its bytes, to each session, in their order."""
        receivers = [session.jid for session in sessions]
        if stanza.trace_id:
            detail = f"{len(receivers)} copies"
            self.ctx.tracer.record(Event.ROUTED, stanza, detail, copies=len(receivers))
        return self.ctx.route(Copies(stanza, receivers))

    def send_to(self, stanza: Stanza, session: Session) -> Settled:
        """Send a copy to one session."""
        return self.ctx.route(addressed(stanza, session.jid))

    # --- incoming

    def take(self, take: Take, stanza: Stanza) -> Settled:
        """Handle a stanza after all earlier ones for its room; an error, after the stanza that it answers."""
        if self._is_busy or stanza.type == "error":  # it may be due to an iq handler, which does not set `_is_busy`
            if not self._next:
                self.ctx.clock.callLater(0, self._take_next)
            self._next.append((take, stanza))
            return None
        return self._take(take, stanza)

    def _take(self, take: Take, stanza: Stanza) -> Settled:
        assert stanza.to is not None
        room = self.rooms.get(stanza.to.localpart)
        if room is not None and not room.is_awake:
            return self._when_awake(room, take, stanza)
        self._is_busy = True
        try:
            return take(self, stanza)
        finally:
            self._is_busy = False
            self._take_next()

    def _take_next(self) -> None:
        while self._next:
            following, self._next = self._next, []
            for take, stanza in following:
                try:
                    self._take(take, stanza)
                except StanzaError as error:
                    if stanza.may_be_answered_with_error:
                        self.ctx.route(stanza.error(error))
                except Exception:  # the others must be handled all the same
                    _log.failure("An error for a stanza of a room was not handled")

    def _when_awake(self, room: Room, take: Take, stanza: Stanza) -> Settled:
        waiting, settled = self._waking.get(room.jid.localpart), Deferred[Any]()
        if waiting is None:
            self._waking[room.jid.localpart] = [(take, stanza, settled)]
            Deferred.fromCoroutine(self._wake(room))
        elif len(waiting) >= MAX_WAITING:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, "the room is being read from the storage; try again")
        else:
            waiting.append((take, stanza, settled))
        return settled

    async def _wake(self, room: Room) -> None:
        failure = None
        try:
            await self._read_history(room)
        except Exception:  # each stanza that waits for the history fails with it
            failure = Failure()
        for take, stanza, settled in self._waking.pop(room.jid.localpart):
            if failure is not None:
                settled.errback(failure)
                continue
            try:
                inner = self.take(take, stanza)
            except Exception:  # of this stanza only
                settled.errback(Failure())
                continue
            if inner is None:
                settled.callback(None)
            else:
                inner.addCallbacks(_to(settled.callback), _to(settled.errback))

    async def _read_history(self, room: Room) -> None:
        page = await self.ctx.store.room_archives.query(room.jid, Query(page_before=""))
        for kept in page.messages:
            if not is_said(kept.stanza.payloads):
                continue
            room.history.add(kept.id, kept.stanza, kept.came_utc_s)
        room.is_awake = True


def _too_many(text: str) -> StanzaError:
    return StanzaError(Condition.RESOURCE_CONSTRAINT, text, reason=reasons.TOO_MANY_ROOMS)


def _to(fire: Callable[[Any], object]) -> Callable[[Any], Any]:
    def pass_on(result: Any) -> Any:
        fire(result)
        return result if not isinstance(result, Failure) else None

    return pass_on


rooms = ServiceState(Rooms)
"""The rooms of one service at its address."""
