"""Occupants leave or are removed, and rooms are destroyed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cluster.base.settled import Settled, all_of
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.presences import Item, item_of, presence_of, tell
from cluster.services.rooms.privileges import NONE
from cluster.services.rooms.room import Occupant, Payload, Room, Session
from cluster.store.rooms import Role
from cluster.xmpp.extensions import muc_status as status
from cluster.xmpp.jid import Jid
from cluster.xmpp.quoting import escape, quoteattr

_GONE = Item(NONE, Role.NONE)


class Departure(NamedTuple):
    """Sessions of one occupant that leave a room together."""

    sessions: Sequence[Session]
    item: Item
    """What the room says of the occupant."""
    statuses: tuple[int, ...] = ()
    payload: Payload = Payload()
    """The part of the presence that the client wrote."""


def remove(rooms: Rooms, room: Room, departures: Sequence[Departure]) -> Settled:
    """Remove these from the room, and tell them first, then those who stay (section 7.14)."""
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
        own = presence_of(
            session, departure.item, type="unavailable", with_jid=room.sees_addresses(session), destroy=destroy,
            statuses=(*departure.statuses, status.SELF), payload=departure.payload,
        )  # fmt: skip
        told.append(rooms.send_to(own, session))
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
    """Destroy the room, and tell all occupants, with the alternate venue (section 10.9)."""
    address = f" jid={quoteattr(str(venue))}" if venue is not None else ""
    told_password = f"<password>{escape(password)}</password>" if password else ""
    told_reason = f"<reason>{escape(reason)}</reason>" if reason else ""
    element = f"<destroy{address}>{told_password}{told_reason}</destroy>"
    told = []
    for session in room.sessions.values():
        own = presence_of(
            session, _GONE, type="unavailable", destroy=element, statuses=(status.SELF,), payload=Payload()
        )
        told.append(rooms.send_to(own, session))
    room.sessions.clear()
    room.occupants.clear()
    return all_of([*told, rooms.forget(room)])


def shut_down(rooms: Rooms) -> None:
    """Tell all occupants of all rooms that the service ends (section 11.2)."""
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
    stanza = presence_of(session, _GONE, type="unavailable", statuses=codes, payload=Payload())
    return rooms.send_to(stanza, session)


def send_away_former(rooms: Rooms, room: Room) -> Settled:
    """Tell the sessions that were in the room when its server was killed that they have left, as in `shut_down`."""
    former = {jid: nick for jid, nick in room.former.items() if jid not in room.sessions}  # else they entered again
    room.former = {}
    if not former:
        return None
    told = []
    for jid, nick in former.items():
        address = Jid(room.jid.localpart, room.jid.domainpart, nick)
        occupant = Occupant(jid.bare, address, rooms.occupant_id(room, jid.bare), Role.NONE)
        told.append(_send_away(rooms, Session(jid, occupant, Payload())))
    return all_of([*told, rooms.note(room, left=tuple(former))])
