"""Presence that a room sends of its occupants and of itself (XEP-0045 section 17.3)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cluster.base.settled import Settled, all_of
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.room import Occupant, Payload, Room, Session
from cluster.services.rooms.stanzas import presence
from cluster.store.rooms import Affiliation, Role
from cluster.xmpp.extensions.muc import OCCUPANT_ID, OCCUPANT_ID_PAYLOAD, USER, USER_PAYLOAD
from cluster.xmpp.extensions.muc_status import SELF
from cluster.xmpp.extensions.vcard import UPDATE
from cluster.xmpp.jid import Jid
from cluster.xmpp.quoting import escape, quoteattr
from cluster.xmpp.stanza import Stanza


class Item(msgspec.Struct, frozen=True):
    """What the room says of an occupant."""

    affiliation: Affiliation
    role: Role
    nick: str = ""
    """The new nick, in a change of nick."""
    actor: str = ""
    """The nick of the moderator or admin who caused the change."""
    reason: str = ""

    def element(self, jid: Jid | None) -> str:
        """The `<item/>` as XML; `jid`: the real address, None if the receiver may not see it."""
        address = f" jid={quoteattr(str(jid))}" if jid is not None else ""
        nick = f" nick={quoteattr(self.nick)}" if self.nick else ""
        actor = f"<actor nick={quoteattr(self.actor)}/>" if self.actor else ""
        reason = f"<reason>{escape(self.reason)}</reason>" if self.reason else ""
        attributes = f"affiliation='{self.affiliation.word}' role='{self.role.word}'{address}{nick}"
        return f"<item {attributes}>{actor}{reason}</item>" if actor or reason else f"<item {attributes}/>"


def item_of(room: Room, occupant: Occupant) -> Item:
    """The present affiliation and role of an occupant."""
    return Item(room.affiliation(occupant.bare), occupant.role)


def presence_of(
    session: Session,
    item: Item,
    *,
    type: str | None = None,
    with_jid: bool = False,
    statuses: tuple[int, ...] = (),
    payload: Payload | None = None,
    destroy: str = "",
    id: str | None = None,
) -> Stanza:
    """The presence of an occupant's session; `payload`: the part of the client, by default its last one."""
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

    `own_statuses`: for that session alone. `viewers`: the receivers, by default all. `is_shown`: if False, only the
    occupant's own sessions are told.
    """
    told: dict[tuple[bool, bool, bool], tuple[Stanza, list[Session]]] = {}
    for viewer in room.sessions.values() if viewers is None else viewers:
        is_own = viewer.occupant is session.occupant
        if not (is_shown or is_own):
            continue
        variant = room.sees_addresses(viewer), is_own, viewer is session
        if variant not in told:
            codes = statuses + ((SELF,) if is_own else ()) + (own_statuses if viewer is session else ())
            stanza = presence_of(
                session, item, type=type, with_jid=variant[0], statuses=codes, payload=payload,
                id=id if viewer is session else None,
            )  # fmt: skip
            told[variant] = stanza, []
        told[variant][1].append(viewer)
    return all_of([rooms.send(stanza, viewers) for stanza, viewers in told.values()])


def show_room(rooms: Rooms, room: Room, newcomer: Session) -> Settled:
    """Send the newcomer the presence of all other visible occupants (section 7.2.2)."""
    sees = room.sees_addresses(newcomer)
    told = []
    for occupant in room.occupants.values():
        if occupant is newcomer.occupant or not room.is_shown(occupant.role):
            continue
        last = occupant.last_session
        told.append(rooms.send_to(presence_of(last, item_of(room, occupant), with_jid=sees), newcomer))
    return all_of(told)


def send_avatar(rooms: Rooms, room: Room, session: Session) -> Settled:
    """Send the room's own presence with the hash of its avatar, if it has a vCard."""
    if not room.vcard:
        return None
    payload = f"<x xmlns='{UPDATE}'><photo>{room.avatar_hash}</photo></x>".encode()
    return rooms.send_to(presence(room.jid, None, payload, (f"{UPDATE} x",)), session)
