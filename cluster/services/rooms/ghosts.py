"""Occupants that are gone without unavailable presence: their stanzas return (XEP-0045 sections 11.1 and 18.1.2)."""

from __future__ import annotations

from cluster.base.settled import Settled
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.leaving import Departure, remove
from cluster.services.rooms.presences import Item
from cluster.services.rooms.room import Room, Session
from cluster.store.rooms import Role
from cluster.xmpp.errors import Condition
from cluster.xmpp.extensions import muc_status as status
from cluster.xmpp.stanza import Stanza, error_of

OF_DELIVERY = frozenset(
    {
        Condition.GONE,
        Condition.ITEM_NOT_FOUND,
        Condition.JID_MALFORMED,
        Condition.RECIPIENT_UNAVAILABLE,
        Condition.REDIRECT,
        Condition.REMOTE_SERVER_NOT_FOUND,
        Condition.REMOTE_SERVER_TIMEOUT,
        Condition.SERVICE_UNAVAILABLE,
    }
)
"""Errors that mean that the occupant is gone: those of section 18.1.2, and those that other servers send instead. Other
errors are about one stanza."""


def take_error(rooms: Rooms, room: Room, session: Session, stanza: Stanza) -> Settled:
    """A stanza of the room to this session was returned: remove the session if it is gone."""
    error = error_of(stanza)
    if error.condition not in OF_DELIVERY:
        return None
    item = Item(room.affiliation(session.occupant.bare), Role.NONE, reason=f"not reached: {error.condition}")
    return remove(rooms, room, [Departure([session], item, (status.TECHNICAL,))])
