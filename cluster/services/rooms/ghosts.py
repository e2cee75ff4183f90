"""Occupants that are gone without a word: errors come back for them (XEP-0045 sections 11.1 and 18.1.2)."""

from __future__ import annotations

from cluster.base.settled import Settled
from cluster.services.rooms import presences as status
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.leaving import Departure, remove
from cluster.services.rooms.presences import Item
from cluster.services.rooms.room import Room, Session
from cluster.store.rooms import Role
from cluster.xmpp.errors import Condition
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
"""What says that nobody is there: section 18.1.2, and what servers of the field send in its place. Other errors are
about one stanza."""


def take_error(rooms: Rooms, room: Room, session: Session, stanza: Stanza) -> Settled:
    """What the room has sent to a session came back."""
    error = error_of(stanza)
    if error.condition not in OF_DELIVERY:
        return None
    item = Item(room.affiliation(session.occupant.bare), Role.NONE, reason=f"not reached: {error.condition}")
    return remove(rooms, room, [Departure([session], item, (status.TECHNICAL,))])
