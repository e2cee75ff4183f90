"""Messages to a room and to its occupants (XEP-0045 sections 7.4, 7.5 and 8.1)."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from cluster.base import reasons
from cluster.base.settled import Settled, both
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.ghosts import take_error
from cluster.services.rooms.history import is_said
from cluster.services.rooms.nicks import no_occupant
from cluster.services.rooms.privileges import Privilege, may
from cluster.services.rooms.reflection import private, reflected, without_id_of_server
from cluster.services.rooms.requests import not_in_room, take_request
from cluster.services.rooms.retraction import retract
from cluster.services.rooms.room import Room, Session
from cluster.services.rooms.stanzas import archived
from cluster.services.rooms.subject import SUBJECT_PAYLOAD
from cluster.store.archive import ArchivedMessage
from cluster.store.rooms import Subject
from cluster.xmpp import timestamp
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.muc import RETRACT_PAYLOAD, USER_PAYLOAD
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import ENTERING_BYTES, too_large
from cluster.xmpp.namespaces import CLIENT, HINTS
from cluster.xmpp.stanza import Stanza, opening

BODY = f"{CLIENT} body"
_NO_STORE = {f"{HINTS} no-store", f"{HINTS} no-permanent-store"}


def take_message(rooms: Rooms, stanza: Stanza) -> Settled:
    """A message for a room or for one of its occupants."""
    to, from_ = stanza.to, stanza.from_
    assert to is not None
    assert from_ is not None
    if from_.domainpart != rooms.ctx.server_domain:
        stanza = stanza.as_written
    try:
        if stanza.type == "error":
            return _take_error(rooms, stanza, from_)
        room = rooms.room(to.localpart)
        session = room.sessions.get(from_)
        if room.is_locked:  # section 17.2 rule 3
            raise StanzaError(Condition.ITEM_NOT_FOUND, "the room is not configured yet", reason=reasons.NO_ROOM)
        if not to.resourcepart and stanza.type != "groupchat":
            return take_request(rooms, room, session, stanza)
        stanza, id = without_id_of_server(stanza, rooms.ctx.server_domain)
        if id and id in room.history:
            return None  # repeated after a crash: all occupants have it, live or from the history
        if session is None:
            raise not_in_room("write to it")
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
        raise StanzaError(Condition.FORBIDDEN, "you have no voice in this room", reason=reasons.NO_VOICE)
    if is_subject and not may(role, Privilege.CHANGE_SUBJECT, room.settings):
        raise StanzaError(Condition.FORBIDDEN, "you may not change the subject", reason=reasons.ROOM_FORBIDS)
    ctx = rooms.ctx
    said = reflected(stanza, session.occupant, room.jid, ctx.new_id(), id)
    size_bytes = len(said.raw) - len(opening("message", session.occupant.jid))
    if size_bytes > ENTERING_BYTES:
        raise too_large(size_bytes)
    now_utc_s = timestamp.rounded(ctx.now_utc_s())
    kept: Settled = None
    if is_subject:
        room.subject = Subject(archived(said, room.jid), now_utc_s)
        kept = rooms.note(room, subject=room.subject)
    if RETRACT_PAYLOAD in stanza.payloads:
        kept = both(kept, Deferred.fromCoroutine(retract(rooms, room, session.occupant, said)))
    kept = both(kept, keep(rooms, room, id, said, now_utc_s, is_archived=room.archives(session.jid)))
    return both(kept, rooms.send(said, room.sessions.values()))


def keep(rooms: Rooms, room: Room, id: str, message: Stanza, came_utc_s: float, *, is_archived: bool) -> Settled:
    """Add a message to the history, and to the archive where that keeps its sender's, if it belongs there (section
    7.2.13; XEP-0313 section 6.1.2)."""
    payloads = message.payloads
    if is_said(payloads):
        room.history.add(id, message, came_utc_s)
    if not rooms.has(room) or not is_archived or not (is_said(payloads) or SUBJECT_PAYLOAD in payloads):
        return None
    if not _NO_STORE.isdisjoint(payloads):
        return None
    kept = ArchivedMessage(id, came_utc_s, archived(message, room.jid))
    return rooms.ctx.store.room_archives.append(room.jid.localpart, kept, rooms.ctx.limits.archive)


# --- to one


def _private(rooms: Rooms, room: Room, session: Session, stanza: Stanza) -> Settled:
    to = stanza.to
    assert to is not None
    if stanza.type == "groupchat":
        raise StanzaError(Condition.BAD_REQUEST, "a message to one occupant is not of type groupchat")
    if not may(session.occupant.role, Privilege.SEND_PRIVATE_MESSAGES, room.settings):
        text = "you may not send private messages in this room"
        raise StanzaError(Condition.FORBIDDEN, text, reason=reasons.ROOM_FORBIDS)
    other = room.occupant(to.resourcepart)
    if other is None:
        raise no_occupant(to.resourcepart)
    return rooms.send(private(stanza, session.occupant, room.jid), other.sessions.values())


def _take_error(rooms: Rooms, stanza: Stanza, from_: Jid) -> Settled:
    """An error of an occupant. One for a private message is passed to its sender, and does not remove the receiver from
    the room (section 18.1.2 is about stanzas of the room)."""
    assert stanza.to is not None
    room = rooms.rooms.get(stanza.to.localpart)
    session = room.sessions.get(from_) if room is not None else None
    if room is None or session is None:
        return None
    if USER_PAYLOAD not in stanza.payloads:
        return take_error(rooms, room, session, stanza)
    sender = room.occupant(stanza.to.resourcepart)
    if sender is None or not may(sender.role, Privilege.SEND_PRIVATE_MESSAGES, room.settings):
        return None  # it cannot have sent one
    return rooms.send(private(stanza, session.occupant, room.jid), sender.sessions.values())
