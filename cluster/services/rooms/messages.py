"""Messages to a room and to its occupants (XEP-0045 sections 7.4, 7.5 and 8.1)."""

from __future__ import annotations

from cluster.base.settled import Settled, all_of
from cluster.services.rooms.copies import Copies
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.ghosts import take_error
from cluster.services.rooms.history import is_said
from cluster.services.rooms.privileges import Privilege, may
from cluster.services.rooms.reflection import private, reflected, without_id_of_server
from cluster.services.rooms.requests import take_request
from cluster.services.rooms.room import Room, Session
from cluster.services.rooms.subject import SUBJECT_PAYLOAD
from cluster.store.archive import ArchivedMessage
from cluster.store.rooms import Subject
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.muc import USER_PAYLOAD
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import ENTERING_BYTES, too_large
from cluster.xmpp.namespaces import CLIENT, HINTS
from cluster.xmpp.stanza import Stanza

BODY = f"{CLIENT} body"
_NO_STORE = {f"{HINTS} no-store", f"{HINTS} no-permanent-store"}


def take_message(rooms: Rooms, stanza: Stanza) -> Settled:
    """A message for a room or for one of its occupants."""
    to, from_ = stanza.to, stanza.from_
    assert to is not None
    assert from_ is not None
    try:
        if stanza.type == "error":
            return _take_error(rooms, stanza, from_)
        room = rooms.room(to.localpart)
        session = room.sessions.get(from_)
        if room.is_locked:  # section 17.2 rule 3
            raise StanzaError(Condition.ITEM_NOT_FOUND, "the room is not configured yet")
        if not to.resourcepart and stanza.type != "groupchat":
            return take_request(rooms, room, session, stanza)
        stanza, id = without_id_of_server(stanza, rooms.ctx.server_domain)
        if id and id in room.history:
            return None  # it comes again after a crash: all that are here have got it, or have it from the history
        if session is None:
            raise StanzaError(Condition.NOT_ACCEPTABLE, "only occupants of the room may write to it")
        if to.resourcepart:
            return _private(rooms, room, session, stanza)
        return _groupchat(rooms, room, session, stanza, id or rooms.ctx.new_id())
    except StanzaError as error:
        error.by = str(to.bare)
        raise


# --- to all


def _groupchat(rooms: Rooms, room: Room, session: Session, stanza: Stanza, id: str) -> Settled:
    is_subject = SUBJECT_PAYLOAD in stanza.payloads and BODY not in stanza.payloads  # section 7.2.15
    role = session.occupant.role
    if not may(role, Privilege.SPEAK, room.settings):
        raise StanzaError(Condition.FORBIDDEN, "you have no voice in this room")
    if is_subject and not may(role, Privilege.CHANGE_SUBJECT, room.settings):
        raise StanzaError(Condition.FORBIDDEN, "you may not change the subject")
    ctx = rooms.ctx
    copies = reflected(stanza, session.occupant, room.jid, ctx.new_id(), id)
    if len(copies.behind) > ENTERING_BYTES:
        raise too_large(len(copies.behind))
    now_utc_s = int(ctx.now_utc_s() * 1000 + 0.5) / 1000
    kept: Settled = None
    if is_subject:
        room.subject = Subject(copies.without_to(room.jid), now_utc_s)
        kept = rooms.note(room, subject=room.subject)
    return all_of([kept, keep(rooms, room, id, copies, now_utc_s), rooms.send(copies, room.sessions.values())])


def keep(rooms: Rooms, room: Room, id: str, copies: Copies, came_utc_s: float) -> Settled:
    """In the history and in the archive, if it is for those (section 7.2.13; XEP-0313 section 5.1.2)."""
    payloads = copies.payloads
    if is_said(payloads):
        room.history.add(id, copies, came_utc_s)
    if not room.settings.is_archived or not (is_said(payloads) or SUBJECT_PAYLOAD in payloads):
        return None
    if not _NO_STORE.isdisjoint(payloads):
        return None
    message = ArchivedMessage(id, came_utc_s, copies.without_to(room.jid))
    return rooms.ctx.store.room_archives.append(room.jid.localpart, message, rooms.ctx.limits.archive)


# --- to one


def _private(rooms: Rooms, room: Room, session: Session, stanza: Stanza) -> Settled:
    to = stanza.to
    assert to is not None
    if stanza.type == "groupchat":
        raise StanzaError(Condition.BAD_REQUEST, "a message to one occupant is not of type groupchat")
    if not may(session.occupant.role, Privilege.SEND_PRIVATE_MESSAGES, room.settings):
        raise StanzaError(Condition.FORBIDDEN, "you may not send private messages in this room")
    other = room.occupant(to.resourcepart)
    if other is None:
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"nobody in the room is called {to.resourcepart}")
    copies = private(stanza, session.occupant, room.jid)
    return rooms.send(copies, other.sessions.values())


def _take_error(rooms: Rooms, stanza: Stanza, from_: Jid) -> Settled:
    """What came back. A private message that did goes to its sender, and says nothing of whether its receiver is there
    (section 18.1.2 speaks of what the room sends)."""
    assert stanza.to is not None
    room = rooms.rooms.get(stanza.to.localpart)
    session = room.sessions.get(from_) if room is not None else None
    if room is None or session is None:
        return None
    if USER_PAYLOAD not in stanza.payloads:
        return take_error(rooms, room, session, stanza)
    sender = room.occupant(stanza.to.resourcepart)
    if sender is None or not may(sender.role, Privilege.SEND_PRIVATE_MESSAGES, room.settings):
        return None  # it has sent none that could come back
    return rooms.send(private(stanza, session.occupant, room.jid), sender.sessions.values())
