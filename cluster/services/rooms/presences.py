"""Presence that a room sends: who is in it, as what, and what became of them (XEP-0045 section 17.3)."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

import msgspec

from cluster.base.settled import Settled, all_of
from cluster.services.rooms.copies import Copies, presence
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.room import Occupant, Payload, Room, Session
from cluster.store.rooms import Affiliation, Role
from cluster.xmpp.extensions.muc import OCCUPANT_ID, OCCUPANT_ID_PAYLOAD, USER, USER_PAYLOAD
from cluster.xmpp.extensions.vcard import UPDATE
from cluster.xmpp.jid import Jid

NON_ANONYMOUS, SELF, ARCHIVED, CREATED, NICK_MODIFIED = 100, 110, 170, 201, 210
BANNED, NICK_CHANGED, KICKED, LOST_AFFILIATION, NOW_MEMBERS_ONLY, SHUTDOWN, TECHNICAL = (
    301,
    303,
    307,
    321,
    322,
    332,
    333,
)
"""Section 16.6."""


class Item(msgspec.Struct, frozen=True):
    """What the room says of an occupant."""

    affiliation: Affiliation
    role: Role
    nick: str = ""
    """The new one, of somebody who changes it."""
    actor: str = ""
    """The nick of who did it."""
    reason: str = ""

    def element(self, jid: Jid | None) -> str:
        """As it stands on the wire; `jid`: the real address, None where the receiver does not get it."""
        address = f" jid={quoteattr(str(jid))}" if jid is not None else ""
        nick = f" nick={quoteattr(self.nick)}" if self.nick else ""
        actor = f"<actor nick={quoteattr(self.actor)}/>" if self.actor else ""
        reason = f"<reason>{escape(self.reason)}</reason>" if self.reason else ""
        attributes = f"affiliation='{self.affiliation.word}' role='{self.role.word}'{address}{nick}"
        return f"<item {attributes}>{actor}{reason}</item>" if actor or reason else f"<item {attributes}/>"


def item_of(room: Room, occupant: Occupant) -> Item:
    """What the room says of an occupant where nothing happens to them."""
    return Item(room.affiliation(occupant.bare), occupant.role)


def copies_of(
    session: Session,
    item: Item,
    *,
    type: str | None = None,
    with_jid: bool = False,
    statuses: tuple[int, ...] = (),
    payload: Payload | None = None,
    destroy: str = "",
    id: str | None = None,
) -> Copies:
    """The presence of an occupant's session; `payload`: what it says itself, which is what it said last."""
    occupant = session.occupant
    payload = session.presence if payload is None else payload
    codes = "".join(f"<status code='{code}'/>" for code in sorted(statuses))
    own = (
        f"<x xmlns='{USER}'>{item.element(session.jid if with_jid else None)}{destroy}{codes}</x>"
        f"<occupant-id xmlns='{OCCUPANT_ID}' id='{occupant.id}'/>"
    )
    names = (*payload.payloads, USER_PAYLOAD, OCCUPANT_ID_PAYLOAD)
    return presence(occupant.jid, type, payload.raw + own.encode(), names, id)


def tell(
    rooms: Rooms,
    room: Room,
    session: Session,
    item: Item,
    *,
    type: str | None = None,
    statuses: tuple[int, ...] = (),
    own_statuses: tuple[int, ...] = (),
    payload: Payload | None = None,
    viewers: Iterable[Session] | None = None,
    is_shown: bool = True,
    id: str | None = None,
) -> Settled:
    """Tell all in the room of one session of an occupant.

    `own_statuses`: for that session alone. `viewers`: who is told, if not all. `is_shown`: else only the occupant's own
    sessions are.
    """
    made: dict[tuple[bool, bool, bool], Copies] = {}
    told = []
    for viewer in room.sessions.values() if viewers is None else viewers:
        is_own = viewer.occupant is session.occupant
        if not (is_shown or is_own):
            continue
        variant = room.sees_addresses(viewer), is_own, viewer is session
        copies = made.get(variant)
        if copies is None:
            codes = statuses + ((SELF,) if is_own else ()) + (own_statuses if viewer is session else ())
            copies = made[variant] = copies_of(
                session, item, type=type, with_jid=variant[0], statuses=codes, payload=payload,
                id=id if viewer is session else None,
            )  # fmt: skip
        told.append(rooms.send(copies, (viewer,)))
    return all_of(told)


def show_room(rooms: Rooms, room: Room, newcomer: Session) -> Settled:
    """The newcomer gets the presence of all others that are shown (section 7.2.2)."""
    sees = room.sees_addresses(newcomer)
    told = []
    for occupant in room.occupants.values():
        if occupant is newcomer.occupant or not room.is_shown(occupant.role):
            continue
        last = occupant.last_session
        told.append(rooms.send(copies_of(last, item_of(room, occupant), with_jid=sees), (newcomer,)))
    return all_of(told)


def send_avatar(rooms: Rooms, room: Room, session: Session) -> Settled:
    """The room's own presence, with the hash of its avatar; nothing where it has no vCard."""
    if not room.vcard:
        return None
    payload = f"<x xmlns='{UPDATE}'><photo>{room.avatar_hash}</photo></x>".encode()
    return rooms.send(presence(room.jid, None, payload, (f"{UPDATE} x",)), (session,))
