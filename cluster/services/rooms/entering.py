"""Entering a room, leaving it, and changing there: what presence does (XEP-0045 sections 7.2, 7.6, 7.7 and 7.14)."""

from __future__ import annotations

from cluster.base import reasons
from cluster.base.settled import Settled, all_of
from cluster.services.rooms import nicks
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.ghosts import take_error
from cluster.services.rooms.leaving import Departure, remove
from cluster.services.rooms.presences import Item, item_of, presence_of, send_avatar, show_room, tell
from cluster.services.rooms.privileges import ADMIN, MEMBER, OUTCAST, Privilege, may
from cluster.services.rooms.reflection import is_claim
from cluster.services.rooms.room import Occupant, Payload, Room, Session
from cluster.services.rooms.subject import send_subject
from cluster.store.rooms import Affiliation, Role
from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, ErrorType, StanzaError
from cluster.xmpp.extensions import muc_status as status
from cluster.xmpp.extensions.muc import JOIN_PAYLOAD, MUC, Join, read_join
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, payload_names

MAX_PRESENCE_BYTES = 16_384
"""In one occupant's presence, which the room keeps and sends to each newcomer."""
_FOR_THE_ROOM = f"{{{MUC}}}x"


def take_presence(rooms: Rooms, stanza: Stanza) -> Settled:
    """Presence for a room or one of its occupants."""
    to, from_ = stanza.to, stanza.from_
    assert to is not None
    assert from_ is not None
    room = rooms.rooms.get(to.localpart)
    session = room.sessions.get(from_) if room is not None else None
    if stanza.type is None and to.localpart:
        try:
            return _available(rooms, room, session, stanza)
        except StanzaError as error:
            error.by = str(to.bare)
            raise
    if room is None or session is None:
        return None  # section 17.3: a stranger cannot leave
    if stanza.type == "unavailable":
        item = Item(room.affiliation(from_.bare), Role.NONE)
        return remove(rooms, room, [Departure([session], item, payload=_payload(stanza))])
    return take_error(rooms, room, session, stanza) if stanza.type == "error" else None


def _available(rooms: Rooms, room: Room | None, session: Session | None, stanza: Stanza) -> Settled:
    to, is_join = stanza.to, JOIN_PAYLOAD in stanza.payloads
    assert to is not None
    if not to.resourcepart:
        if session is not None or not is_join:
            return None
        raise StanzaError(Condition.JID_MALFORMED, f"a nickname is missing; enter as {to}/NICK")
    if room is None or session is None:
        return _enter(rooms, room, stanza) if is_join else _not_inside(rooms, stanza)
    nick = nicks.prepare(to.resourcepart)
    if nick != session.occupant.nick:
        return _change_nick(rooms, room, session, nick, stanza)
    payload, before = _payload(stanza), session.presence
    session.presence = payload
    if not is_join:
        return tell(rooms, room, session, item_of(room, session.occupant), is_shown=_is_shown(room, session))
    told = None
    if payload != before:  # section 17.3 rule 3
        told = _tell_others(rooms, room, session)
    return all_of([told, _welcome(rooms, room, session, read_join(stanza.tree), stanza.id, (), None)])


def _is_shown(room: Room, session: Session) -> bool:
    return room.is_shown(session.occupant.role)


def _tell_others(rooms: Rooms, room: Room, session: Session) -> Settled:
    others = [each for each in room.sessions.values() if each is not session]
    item = item_of(room, session.occupant)
    return tell(rooms, room, session, item, viewers=others, is_shown=_is_shown(room, session))


def _not_inside(rooms: Rooms, stanza: Stanza) -> Settled:
    """Tell a client that wrongly believes that it is in the room (section 7.2.18)."""
    assert stanza.to is not None
    assert stanza.from_ is not None
    occupant = Occupant(stanza.from_.bare, stanza.to, "", Role.NONE)
    session = Session(stanza.from_, occupant, Payload())
    item = Item(Affiliation.NONE, Role.NONE, reason="You are not in the room.")
    codes = (status.SELF, status.KICKED, status.TECHNICAL)
    return rooms.send_to(presence_of(session, item, type="unavailable", statuses=codes), session)


def _payload(stanza: Stanza) -> Payload:
    """The part of a client's presence that the others get. Raises StanzaError if it is too large."""
    assert stanza.to is not None
    children = [child for child in stanza.tree if child.tag != _FOR_THE_ROOM and not is_claim(child, stanza.to)]
    raw = b"".join(xml.serialize(child) for child in children)
    if len(raw) > MAX_PRESENCE_BYTES:
        raise StanzaError(Condition.POLICY_VIOLATION, f"presence in a room has at most {MAX_PRESENCE_BYTES} bytes")
    return Payload(raw, payload_names(children))


# --- entering


def _enter(rooms: Rooms, room: Room | None, stanza: Stanza) -> Settled:
    to, from_ = stanza.to, stanza.from_
    assert to is not None
    assert from_ is not None
    nick, join, payload = nicks.prepare(to.resourcepart), read_join(stanza.tree), _payload(stanza)
    is_new = room is None
    if room is None:
        room = rooms.create(to.localpart, from_.bare)
    else:
        _check_entrance(rooms, room, from_.bare, nick, join)
    occupant = room.occupants.get(nicks.key(nick))
    if occupant is None:
        role = room.initial_role(room.affiliation(from_.bare))
        jid = Jid(to.localpart, to.domainpart, nick)
        occupant = Occupant(from_.bare, jid, rooms.occupant_id(room, from_.bare), role)
    session = Session(from_, occupant, payload)
    room.enter(session)
    codes: tuple[int, ...] = (status.CREATED,) if is_new else ()
    codes += (status.NICK_MODIFIED,) if occupant.nick != to.resourcepart else ()
    told = _tell_others(rooms, room, session)
    welcomed = _welcome(rooms, room, session, join, stanza.id, codes, told)
    return all_of([welcomed, rooms.note(room, entered={from_: occupant.nick})])


def _check_entrance(rooms: Rooms, room: Room, bare: Jid, nick: str, join: Join) -> None:
    """Raises StanzaError if this account may not enter (section 7.2.17)."""
    affiliation = room.affiliation(bare)
    if room.is_locked and affiliation is not Affiliation.OWNER:
        raise StanzaError(Condition.ITEM_NOT_FOUND, "the room is not configured yet", reason=reasons.NO_ROOM)
    if affiliation is OUTCAST:
        raise StanzaError(Condition.FORBIDDEN, "you are banned from this room", reason=reasons.BANNED)
    if room.settings.is_members_only and affiliation < MEMBER:
        text = "only members may enter this room"
        raise StanzaError(Condition.REGISTRATION_REQUIRED, text, reason=reasons.MEMBERS_ONLY)
    if room.settings.password and join.password != room.settings.password:
        text = "this room needs a password, and this is not it"
        raise StanzaError(Condition.NOT_AUTHORIZED, text, reason=reasons.ROOM_PASSWORD)
    if room.is_taken(nick, bare):
        raise nicks.nick_taken(nick)
    most = rooms.settings.max_occupants
    most = min(most, room.settings.max_occupants or most)
    if affiliation >= ADMIN:  # section 7.2.9
        most += max(1, rooms.settings.max_occupants // 10)
    if len(room.sessions) >= most:
        text = f"{most} clients are in the room already"
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, text, ErrorType.WAIT, reason=reasons.ROOM_FULL)


def _welcome(
    rooms: Rooms, room: Room, session: Session, join: Join, id: str | None, codes: tuple[int, ...], told: Settled
) -> Settled:
    """Send a newcomer the occupants, its own presence, the history and the subject, in the order of section 7.1."""
    shown, pictured = show_room(rooms, room, session), send_avatar(rooms, room, session)
    codes += (status.SELF,)
    codes += (status.NON_ANONYMOUS,) if room.settings.whois == "anyone" else ()
    codes += (status.ARCHIVED,) if room.settings.is_archived else ()
    item = item_of(room, session.occupant)
    own = presence_of(session, item, with_jid=room.sees_addresses(session), statuses=codes, id=id)
    entered = rooms.send_to(own, session)
    said = room.history.select(join.history, room.settings.history_messages, rooms.ctx.now_utc_s())
    history = [rooms.send_to(each, session) for each in said]
    return all_of([told, shown, pictured, entered, *history, send_subject(rooms, room, session)])


# --- another nick


def _change_nick(rooms: Rooms, room: Room, session: Session, nick: str, stanza: Stanza) -> Settled:
    old, bare = session.occupant, session.occupant.bare
    if not may(old.role, Privilege.CHANGE_NICK, room.settings):
        raise StanzaError(Condition.NOT_ACCEPTABLE, "you cannot change your nickname here", reason=reasons.ROOM_FORBIDS)
    if room.is_taken(nick, bare):
        raise nicks.nick_taken(nick)
    if nicks.key(nick) == nicks.key(old.nick) and len(old.sessions) > 1:
        raise StanzaError(Condition.CONFLICT, "your other clients have this nickname, written in another way")
    payload = _payload(stanza)
    found = room.occupants.get(nicks.key(nick))
    if found is None or found is old:
        found = Occupant(bare, Jid(room.jid.localpart, room.jid.domainpart, nick), old.id, old.role)
    affiliation, is_shown = room.affiliation(bare), _is_shown(room, session)
    gone = Item(affiliation, old.role, nick=found.nick)
    codes: tuple[int, ...] = (status.NICK_CHANGED,)
    if len(old.sessions) == 1:
        told = tell(rooms, room, session, gone, type="unavailable", statuses=codes, is_shown=is_shown)
    else:  # the others of this account keep the nick
        codes += (status.SELF,)
        told = rooms.send_to(presence_of(session, gone, type="unavailable", statuses=codes), session)
    room.move(session, found)
    session.presence = payload
    own = (status.NICK_MODIFIED,) if found.nick != _asked(stanza) else ()
    item = Item(affiliation, found.role)
    renamed = tell(rooms, room, session, item, own_statuses=own, is_shown=is_shown, id=stanza.id)
    return all_of([told, renamed, rooms.note(room, entered={session.jid: found.nick})])


def _asked(stanza: Stanza) -> str:
    assert stanza.to is not None
    return stanza.to.resourcepart
