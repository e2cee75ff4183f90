"""What a room is about (XEP-0045 sections 7.2.15 and 8.1)."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.base.settled import Settled
from cluster.services.rooms.copies import Copies, message
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.history import delayed
from cluster.services.rooms.room import Room, Session
from cluster.xmpp.namespaces import CLIENT

SUBJECT_PAYLOAD = f"{CLIENT} subject"


def send_subject(rooms: Rooms, room: Room, sessions: Iterable[Session]) -> Settled:
    """The subject for those who enter, empty where there was never one."""
    if room.subject is None:
        copies = message(room.jid, rooms.ctx.new_id(), "groupchat", b"<subject/>", (SUBJECT_PAYLOAD,))
    else:
        copies = delayed(Copies.of(room.subject.stanza), room.jid, room.subject.changed_utc_s)
    return rooms.send(copies, sessions)
