"""All rooms of a service: found, made, read from the storage, forgotten; and what comes for them, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.settled import Settled, all_of
from cluster.server.services.service import ServiceContext, ServiceState
from cluster.services.rooms.copies import Copies
from cluster.services.rooms.history import is_said
from cluster.services.rooms.room import Room, Session
from cluster.services.rooms.settings import MAX_WAITING, RoomsSettings
from cluster.store.rooms import Affiliate, Affiliation, RoomChange, RoomRecord, RoomSettings
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

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
        self._id_secret = b""
        self._waking: dict[str, list[tuple[Take, Stanza, Deferred[Any]]]] = {}
        """What waits for a room whose history is being read."""
        self._is_busy = False
        self._next: list[tuple[Take, Stanza]] = []
        """What may have come of a stanza or request that is being handled: errors. It is handled behind that one."""

    # --- rooms

    def room(self, localpart: str) -> Room:
        """The room of this name. Raises StanzaError where there is none."""
        room = self.rooms.get(localpart)
        if room is None:
            raise StanzaError(Condition.ITEM_NOT_FOUND, f"no room {localpart}@{self.ctx.domain}")
        return room

    def create(self, localpart: str, owner: Jid) -> Room:
        """A new room, locked until it is configured (XEP-0045 section 10.1). Raises StanzaError."""
        creation = self.settings.creation
        if creation == "nobody" or (creation == "local" and owner.domainpart != self.ctx.server_domain):
            raise StanzaError(Condition.NOT_ALLOWED, "you may not create rooms here")
        if not owner.localpart:  # an affiliation of a domain is one of all its accounts (section 9.2)
            raise StanzaError(Condition.NOT_ALLOWED, "a whole domain cannot own a room; enter one that is there")
        if len(self.rooms) >= self.settings.max_rooms:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"there are {self.settings.max_rooms} rooms already")
        owners = {owner: Affiliate(Affiliation.OWNER)}
        room = Room(Jid(localpart, self.ctx.domain), RoomRecord(RoomSettings(), affiliates=owners))
        room.is_locked = room.is_awake = True
        self.rooms[localpart] = room
        return room

    def unlock(self, room: Room) -> Settled:
        """Others may enter from now on, and the room is kept."""
        room.is_locked = False
        inside = {jid: session.occupant.nick for jid, session in room.sessions.items()}
        return self.note(room, settings=room.settings, affiliates=dict(room.affiliates), entered=inside)

    def forget(self, room: Room) -> Settled:
        """The room is no more."""
        del self.rooms[room.jid.localpart]
        return None if room.is_locked else self.ctx.store.rooms.delete(room.jid.localpart)

    def forget_if_deserted(self, room: Room) -> Settled:
        """A temporary room goes with the last one who is in it (section 4.2); another one rests, to take no memory."""
        if room.sessions or self.rooms.get(room.jid.localpart) is not room:
            return None
        if room.settings.is_persistent:
            room.rest()
            return None
        return self.forget(room)

    def note(self, room: Room, **changes: Any) -> Settled:
        """Keep what is new of a room: see `RoomChange`. A locked room is not kept."""
        if room.is_locked:
            return None
        return self.ctx.store.rooms.note(RoomChange(room.jid.localpart, **changes))

    async def load(self) -> None:
        """Read all rooms, their histories apart."""
        secret = await self.ctx.store.secrets.get("occupant ids", f"{self.ctx.new_id()}{self.ctx.new_id()}".encode())
        self._id_secret = secret[: blake2b.MAX_KEY_SIZE]
        for name in await self.ctx.store.rooms.names():
            record = await self.ctx.store.rooms.load(name)
            if record is not None:
                room = self.rooms[name] = Room(Jid(name, self.ctx.domain), record)
                room.former = record.occupants

    def occupant_id(self, room: Room, bare: Jid) -> str:
        """The same for one account in one room, always, and to be guessed by nobody (XEP-0421 section 5.1)."""
        keyed = blake2b(f"{room.jid}\0{bare}".encode(), key=self._id_secret, digest_size=_ID_BYTES)
        return keyed.hexdigest()

    # --- what is sent

    def send(self, copies: Copies, sessions: Iterable[Session]) -> Settled:
        """The same to all of them, in their order."""
        route, to = self.ctx.route, copies.to
        return all_of([route(to(session.jid)) for session in sessions])

    # --- what comes

    def take(self, take: Take, stanza: Stanza) -> Settled:
        """Handle a stanza, behind all that came for its room before, and behind the one that it is a bounce of."""
        if self._is_busy or stanza.type == "error":  # of a request, which knows nothing of `_is_busy`
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
                except Exception:
                    _log.failure("What came back of a room's stanza was not handled")

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
        except Exception:
            failure = Failure()  # type: ignore[no-untyped-call]
        for take, stanza, settled in self._waking.pop(room.jid.localpart):
            if failure is not None:
                settled.errback(failure)
                continue
            try:
                inner = self.take(take, stanza)
            except Exception:
                settled.errback(Failure())  # type: ignore[no-untyped-call]
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
            room.history.add(kept.id, Copies.of(kept.stanza), kept.came_utc_s)
        room.is_awake = True


def _to(fire: Callable[[Any], object]) -> Callable[[Any], Any]:
    def pass_on(result: Any) -> Any:
        fire(result)
        return result if not isinstance(result, Failure) else None

    return pass_on


rooms = ServiceState(Rooms)
"""Of one service at its address."""
