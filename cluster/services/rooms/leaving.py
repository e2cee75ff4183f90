"""Who is not in a room any more, by their own word or somebody else's, and the end of a room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from cluster.base.settled import Settled, all_of
from cluster.services.rooms import presences as status
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.presences import Item, copies_of, item_of, tell
from cluster.services.rooms.privileges import NONE
from cluster.services.rooms.room import Occupant, Payload, Room, Session
from cluster.store.rooms import Role
from cluster.xmpp.jid import Jid

_GONE = Item(NONE, Role.NONE)


class Departure(NamedTuple):
    """Sessions of one occupant that are not in a room any more."""

    sessions: Sequence[Session]
    item: Item
    """What the room says of the occupant."""
    statuses: tuple[int, ...] = ()
    payload: Payload = Payload()
    """What they say themselves."""


def remove(rooms: Rooms, room: Room, departures: Sequence[Departure]) -> Settled:
    """These are not in the room any more: they hear of it first, then those who stay (section 7.14)."""
    told = [_tell_those_who_go(rooms, room, each) for each in departures]
    shown = [room.is_shown(each.sessions[0].occupant.role) for each in departures]
    left = [session for each in departures for session in each.sessions]
    for session in left:
        room.leave(session)
    told += [_tell_those_who_stay(rooms, room, *each) for each in zip(departures, shown, strict=True)]
    told.append(rooms.note(room, left=tuple(session.jid for session in left)))
    told.append(rooms.forget_if_deserted(room))
    return all_of(told)


def _tell_those_who_go(rooms: Rooms, room: Room, departure: Departure) -> Settled:
    destroy = "<destroy/>" if room.is_locked else ""  # section 10.1.3, last paragraph
    told = []
    for session in departure.sessions:
        own = copies_of(
            session, departure.item, type="unavailable", with_jid=room.sees_addresses(session), destroy=destroy,
            statuses=(*departure.statuses, status.SELF), payload=departure.payload,
        )  # fmt: skip
        told.append(rooms.send(own, (session,)))
    return all_of(told)


def _tell_those_who_stay(rooms: Rooms, room: Room, departure: Departure, is_shown: bool) -> Settled:
    sessions, item, statuses, payload = departure
    occupant = sessions[0].occupant
    if occupant.sessions:
        return tell(rooms, room, occupant.last_session, item_of(room, occupant), is_shown=is_shown)
    if not is_shown:
        return None
    return tell(rooms, room, sessions[-1], item, type="unavailable", statuses=statuses, payload=payload)


def destroy(rooms: Rooms, room: Room, venue: Jid | None, password: str, reason: str) -> Settled:
    """The room is no more, and all in it hear of that and of the alternate venue (section 10.9)."""
    address = f" jid={quoteattr(str(venue))}" if venue is not None else ""
    told_password = f"<password>{escape(password)}</password>" if password else ""
    told_reason = f"<reason>{escape(reason)}</reason>" if reason else ""
    element = f"<destroy{address}>{told_password}{told_reason}</destroy>"
    told = [
        rooms.send(
            copies_of(session, _GONE, type="unavailable", destroy=element, statuses=(status.SELF,), payload=Payload()),
            (session,),
        )
        for session in room.sessions.values()
    ]
    room.sessions.clear()
    room.occupants.clear()
    return all_of([*told, rooms.forget(room)])


def shut_down(rooms: Rooms) -> None:
    """The service ends: all that are in rooms hear of it (section 11.2)."""
    for room in [*rooms.rooms.values()]:
        sessions = [*room.sessions.values()]
        for session in sessions:
            _send_away(rooms, session)
        if sessions:
            rooms.note(room, left=tuple(session.jid for session in sessions))
        room.sessions.clear()
        room.occupants.clear()


def _send_away(rooms: Rooms, session: Session) -> Settled:
    codes = (status.SELF, status.SHUTDOWN)
    copies = copies_of(session, _GONE, type="unavailable", statuses=codes, payload=Payload())
    return rooms.send(copies, (session,))


def send_away_former(rooms: Rooms, room: Room) -> Settled:
    """Who was in the room when its server was killed hears that it is not any more, as in `shut_down`."""
    former, room.former = room.former, {}
    if not former:
        return None
    told = []
    for jid, nick in former.items():
        address = Jid(room.jid.localpart, room.jid.domainpart, nick)
        occupant = Occupant(jid.bare, address, rooms.occupant_id(room, jid.bare), Role.NONE)
        told.append(_send_away(rooms, Session(jid, occupant, Payload())))
    return all_of([*told, rooms.note(room, left=tuple(former))])
