"""The subject of a room (XEP-0045 sections 7.2.15 and 8.1)."""

from __future__ import annotations

from cluster.base.settled import Settled
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.history import delayed
from cluster.services.rooms.room import Room, Session
from cluster.services.rooms.stanzas import message
from cluster.xmpp.namespaces import CLIENT

SUBJECT_PAYLOAD = f"{CLIENT} subject"


def send_subject(rooms: Rooms, room: Room, session: Session) -> Settled:
    """Send a newcomer the subject, an empty one if it was never set."""
    if room.subject is None:
        stanza = message(room.jid, rooms.ctx.new_id(), b"<subject/>", (SUBJECT_PAYLOAD,))
    else:
        stanza = delayed(room.subject.stanza, room.jid, room.subject.changed_utc_s)
    return rooms.send_to(stanza, session)
