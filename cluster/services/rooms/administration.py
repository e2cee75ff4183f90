"""Requests of moderators, admins and owners about roles and affiliations (XEP-0045 sections 8 to 10, `muc#admin`)."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.base.settled import Settled, all_of
from cluster.services.rooms.affiliations import change, check_owners
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.leaving import Departure, remove
from cluster.services.rooms.nicks import key, nick_taken, no_occupant, prepare
from cluster.services.rooms.presences import Item, tell
from cluster.services.rooms.privileges import (
    ADMIN,
    MEMBER,
    MODERATOR,
    NOBODY,
    NONE,
    OUTCAST,
    OWNER,
    check_change_of_affiliation,
    check_change_of_role,
)
from cluster.services.rooms.room import Occupant, Room, Session
from cluster.services.rooms.settings import MAX_ITEMS, MAX_TEXT
from cluster.store.rooms import Affiliate, Affiliation, Role
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import muc_status as status
from cluster.xmpp.extensions import rsm
from cluster.xmpp.extensions.muc import ADMIN as NAMESPACE
from cluster.xmpp.extensions.muc import AdminItem, read_admin_items
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza


def affiliation_of(word: str) -> Affiliation:
    """The affiliation with this name. Raises StanzaError if there is none."""
    try:
        return Affiliation[word.upper()]
    except KeyError:
        raise StanzaError(Condition.BAD_REQUEST, f"{word!r} is no affiliation") from None


def role_of(word: str) -> Role:
    """The role with this name. Raises StanzaError if there is none."""
    try:
        return Role[word.upper()]
    except KeyError:
        raise StanzaError(Condition.BAD_REQUEST, f"{word!r} is no role") from None


# --- lists


def listed(room: Room, iq: Stanza) -> Element:
    """The list of a role or an affiliation (sections 8.5, 9.2, 9.5, 9.8, 10.5 and 10.8). Raises StanzaError."""
    assert iq.from_ is not None
    query = Element(f"{{{NAMESPACE}}}query")
    items = read_admin_items(iq.payload())
    for role in dict.fromkeys(role_of(item.role) for item in items if item.role is not None):
        _list_role(room, iq.from_, role, query)
    for each in dict.fromkeys(affiliation_of(item.affiliation) for item in items if item.affiliation is not None):
        _list_affiliation(room, iq.from_, each, query)
    page = rsm.read(iq.payload(), MAX_ITEMS)
    if page is not None:  # not in XEP-0045: else a long list could not be carried to another domain
        ids = [item.get("jid", "") for item in query]
        shown = rsm.places(ids, page)
        query[:] = query[shown.start : shown.stop]
        query.append(rsm.tell(ids[shown.start : shown.stop], shown.start, len(ids)))
    return query


def _list_role(room: Room, asking: Jid, role: Role, query: Element) -> None:
    session = room.sessions.get(asking)
    is_moderator = session is not None and session.occupant.role is MODERATOR
    if not is_moderator or (role is MODERATOR and room.affiliation(asking.bare) < ADMIN):
        raise StanzaError(Condition.FORBIDDEN, "only moderators see the voice list, only admins who moderates")
    for occupant in room.occupants.values():
        if occupant.role is role:
            SubElement(
                query, f"{{{NAMESPACE}}}item", nick=occupant.nick, role=role.word,
                affiliation=room.affiliation(occupant.bare).word, jid=str(occupant.last_session.jid),
            )  # fmt: skip


def _list_affiliation(room: Room, asking: Jid, affiliation: Affiliation, query: Element) -> None:
    if not _may_list(room, asking, affiliation):
        raise StanzaError(Condition.FORBIDDEN, f"you may not see who is {affiliation.word}")
    for jid, kept in room.with_affiliation(affiliation):
        item = SubElement(query, f"{{{NAMESPACE}}}item", affiliation=affiliation.word, jid=str(jid))
        if kept.nick:
            item.set("nick", kept.nick)
        if kept.reason:
            SubElement(item, f"{{{NAMESPACE}}}reason").text = kept.reason


def _may_list(room: Room, asking: Jid, affiliation: Affiliation) -> bool:
    own = room.affiliation(asking.bare)
    if own >= ADMIN:
        return affiliation < ADMIN or own is OWNER or room.settings.whois == "anyone"
    if affiliation < MEMBER:
        return False
    if room.settings.whois == "anyone" and own >= MEMBER:  # section 9.5; clients encrypt for all of them
        return True
    session = room.sessions.get(asking)
    return (
        affiliation is MEMBER
        and session is not None
        and room.sees_addresses(session)
        and session.occupant.role in room.settings.member_list_for
    )


# --- changes


def changed(rooms: Rooms, room: Room, iq: Stanza) -> Settled:
    """Make all changes of a request, or none (section 9.2, last paragraph)."""
    items = read_admin_items(iq.payload())
    if len(items) > MAX_ITEMS:
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"a request has at most {MAX_ITEMS} items")
    assert iq.from_ is not None
    session = room.sessions.get(iq.from_)
    actor = session.occupant.nick if session is not None else ""
    changes = [_change_of_role(room, iq.from_, session, item) for item in items if item.role is not None]
    roles = {each[0]: each for each in changes}.values()
    affiliations = dict(_change_of_affiliation(room, iq.from_.bare, item) for item in items if item.role is None)
    if affiliations:
        check_owners(room, affiliations)
        _check_reserved_once(affiliations)
    settled = [_give(rooms, room, actor, *each) for each in roles]
    if affiliations:
        settled.append(change(rooms, room, affiliations, actor))
    return all_of(settled)


def _change_of_affiliation(room: Room, actor: Jid, item: AdminItem) -> tuple[Jid, Affiliate]:
    assert item.affiliation is not None
    new, jid = affiliation_of(item.affiliation), item.jid
    if jid is None:
        occupant = room.occupant(item.nick or "")
        if occupant is None:
            raise StanzaError(Condition.BAD_REQUEST, "whose affiliation is to change is missing")
        jid = occupant.bare
    jid = jid.bare
    own, before = room.affiliation(actor), room.affiliates.get(jid, Affiliate(NONE))
    check_change_of_affiliation(own, before.affiliation, new)
    if new is OUTCAST and actor in (jid, Jid("", jid.domainpart)):
        raise StanzaError(Condition.CONFLICT, "you cannot ban yourself")  # section 9.1
    nick = before.nick if item.nick is None else item.nick
    if new is OUTCAST or not nick:
        nick = ""
    else:
        nick = prepare(nick)
        if room.is_reserved(nick, jid):
            raise nick_taken(nick)
    return jid, Affiliate(new, nick, item.reason[:MAX_TEXT])


def _check_reserved_once(affiliations: Mapping[Jid, Affiliate]) -> None:
    reserved = [key(kept.nick) for kept in affiliations.values() if kept.nick]
    if len(set(reserved)) < len(reserved):
        raise StanzaError(Condition.CONFLICT, "two would have one nickname, or such as look like it")


def _change_of_role(room: Room, asking: Jid, session: Session | None, item: AdminItem) -> tuple[Occupant, Role, str]:
    assert item.role is not None
    new = role_of(item.role)
    if item.nick is None:
        raise StanzaError(Condition.BAD_REQUEST, "whose role is to change is missing")  # section 17.4 rule 5
    occupant = room.occupant(item.nick)
    if occupant is None:
        raise no_occupant(item.nick)
    own = session.occupant.role if session is not None else NOBODY
    other = occupant.role, room.affiliation(occupant.bare)
    check_change_of_role((own, room.affiliation(asking.bare)), other, new)
    return occupant, new, item.reason[:MAX_TEXT]


def give_role(rooms: Rooms, room: Room, by: Session, occupant: Occupant, role: Role, reason: str) -> Settled:
    """Give an occupant a role. Raises StanzaError if `by` may not."""
    own = by.occupant.role, room.affiliation(by.occupant.bare)
    check_change_of_role(own, (occupant.role, room.affiliation(occupant.bare)), role)
    return _give(rooms, room, by.occupant.nick, occupant, role, reason)


def _give(rooms: Rooms, room: Room, actor: str, occupant: Occupant, role: Role, reason: str) -> Settled:
    affiliation, sessions = room.affiliation(occupant.bare), [*occupant.sessions.values()]
    item = Item(affiliation, role, actor=actor, reason=reason)
    if role is NOBODY:
        return remove(rooms, room, [Departure(sessions, item, (status.KICKED,))])
    is_shown = room.is_shown(occupant.role) or room.is_shown(role)
    occupant.role = role
    return all_of([tell(rooms, room, session, item, is_shown=is_shown) for session in sessions])
