"""Changes of affiliation, and their effects on occupants (XEP-0045 sections 9 and 10)."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.base.settled import Settled, all_of
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.leaving import Departure, remove
from cluster.services.rooms.presences import Item, tell
from cluster.services.rooms.privileges import ADMIN, MEMBER, NONE, OUTCAST, OWNER
from cluster.services.rooms.room import Occupant, Room
from cluster.services.rooms.settings import MAX_AFFILIATES
from cluster.store.rooms import Affiliate, Role
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import muc_status as status
from cluster.xmpp.jid import Jid


def check_owners(room: Room, changes: Mapping[Jid, Affiliate]) -> None:
    """Raises StanzaError if no owner would be left (section 10.4), or too many affiliations would be kept."""
    after = {**room.affiliates, **changes}
    if not any(kept.affiliation is OWNER for kept in after.values()):
        raise StanzaError(Condition.CONFLICT, "a room has at least one owner")
    if len([None for kept in after.values() if kept.affiliation is not NONE]) > MAX_AFFILIATES:
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"a room keeps at most {MAX_AFFILIATES} affiliations")


def change(rooms: Rooms, room: Room, changes: Mapping[Jid, Affiliate], actor: str = "") -> Settled:
    """Make these changes, which have been checked, and tell all occupants. `actor`: the nick of who makes them."""
    before = {occupant.bare: room.affiliation(occupant.bare) for occupant in room.occupants.values()}
    stored: dict[Jid, Affiliate | None] = {}
    for jid, kept in changes.items():
        stored[jid] = kept if kept.affiliation is not NONE else None
        room.set_affiliate(jid, stored[jid])
    settled = [rooms.note(room, affiliates=stored)]
    changed = [each for each in room.occupants.values() if room.affiliation(each.bare) is not before[each.bare]]
    reasons = {each: room.affiliate(each.bare).reason or _reason(changes, each.bare) for each in changed}
    departures = [gone for each in changed if (gone := _departure(room, each, actor, reasons[each])) is not None]
    if departures:
        settled.append(remove(rooms, room, departures))
    staying = [each for each in changed if each.sessions]
    settled += [_follow(rooms, room, each, actor, reasons[each]) for each in staying]
    return all_of(settled)


def _reason(changes: Mapping[Jid, Affiliate], bare: Jid) -> str:
    kept = changes.get(bare) or changes.get(Jid("", bare.domainpart))
    return kept.reason if kept is not None else ""


def _departure(room: Room, occupant: Occupant, actor: str, reason: str) -> Departure | None:
    """The departure of an occupant who may not be in the room any more; None if it may stay."""
    affiliation = room.affiliation(occupant.bare)
    if room.may_enter(occupant.bare):
        return None
    code = status.BANNED if affiliation is OUTCAST else status.LOST_AFFILIATION
    gone = Item(affiliation, Role.NONE, actor=actor, reason=reason)
    return Departure([*occupant.sessions.values()], gone, (code,))


def _follow(rooms: Rooms, room: Room, occupant: Occupant, actor: str, reason: str) -> Settled:
    """Give an occupant who stays the role of the new affiliation, and tell all."""
    affiliation, sessions = room.affiliation(occupant.bare), [*occupant.sessions.values()]
    was_shown = room.is_shown(occupant.role)
    occupant.role = _role_after(room, occupant)
    item = Item(affiliation, occupant.role, actor=actor, reason=reason)
    is_shown = was_shown or room.is_shown(occupant.role)
    return all_of([tell(rooms, room, session, item, is_shown=is_shown) for session in sessions])


def _role_after(room: Room, occupant: Occupant) -> Role:
    """The role after a change: a new affiliation gives its role, a lost one takes the role it gave (section 5.1.3)."""
    initial = room.initial_role(room.affiliation(occupant.bare))
    if room.affiliation(occupant.bare) >= ADMIN or occupant.role > Role.PARTICIPANT:
        return initial
    return max(initial, occupant.role)


def grant(rooms: Rooms, room: Room, bare: Jid) -> Settled:
    """Make an invitee a member. Raises StanzaError."""
    changes = {bare: Affiliate(MEMBER)}
    check_owners(room, changes)
    if room.affiliation(bare) is OUTCAST:
        raise StanzaError(Condition.FORBIDDEN, "who is invited is banned from this room")
    return change(rooms, room, changes)
