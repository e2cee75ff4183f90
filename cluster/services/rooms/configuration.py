"""Requests of owners about the room as a whole (XEP-0045 sections 10.1, 10.2 and 10.9, `muc#owner`)."""

from __future__ import annotations

from cluster.base.settled import Settled, all_of
from cluster.services.rooms import form as config_form
from cluster.services.rooms.affiliations import change, check_owners
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.leaving import Departure, destroy, remove
from cluster.services.rooms.presences import Item, item_of, tell
from cluster.services.rooms.privileges import ADMIN, NONE, OWNER
from cluster.services.rooms.room import Occupant, Room
from cluster.services.rooms.settings import MAX_AFFILIATES, MAX_TEXT
from cluster.services.rooms.stanzas import message
from cluster.store.rooms import Affiliate, Role, RoomSettings
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions import muc_status as status
from cluster.xmpp.extensions.data_form import DATA, Values
from cluster.xmpp.extensions.muc import CONFIG, USER, USER_PAYLOAD, read_jid
from cluster.xmpp.extensions.muc import OWNER as NAMESPACE
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza


def _check_owner(room: Room, iq: Stanza) -> None:
    assert iq.from_ is not None
    if room.affiliation(iq.from_.bare) is not OWNER:
        raise StanzaError(Condition.FORBIDDEN, "only owners configure the room")


def shown(room: Room, iq: Stanza) -> Element:
    """The configuration form."""
    _check_owner(room, iq)
    query = Element(f"{{{NAMESPACE}}}query")
    query.append(config_form.form(room))
    return query


def changed(rooms: Rooms, room: Room, iq: Stanza) -> Settled:
    """Submit or cancel the form, or destroy the room."""
    _check_owner(room, iq)
    query = iq.payload()
    goodbye = query.find(f"{{{NAMESPACE}}}destroy")
    if goodbye is not None:
        return _destroy(rooms, room, goodbye)
    submitted = query.find(f"{{{DATA}}}x")
    if submitted is None:
        raise StanzaError(Condition.BAD_REQUEST, "neither a form nor <destroy/> is in the query")
    if submitted.get("type") == "cancel":
        return destroy(rooms, room, None, "", "its configuration was cancelled") if room.is_locked else None
    if submitted.get("type") != "submit":
        raise StanzaError(Condition.BAD_REQUEST, "a form is submitted or cancelled")
    values = data_form.values(submitted)
    if values and values.get("FORM_TYPE") != [CONFIG]:
        raise StanzaError(Condition.BAD_REQUEST, f"the form's FORM_TYPE is {CONFIG}")
    return _configure(rooms, room, values)


def _destroy(rooms: Rooms, room: Room, goodbye: Element) -> Settled:
    password = xml.text_of(goodbye, f"{{{NAMESPACE}}}password") or ""
    reason = xml.text_of(goodbye, f"{{{NAMESPACE}}}reason") or ""
    return destroy(rooms, room, read_jid(goodbye.get("jid")), password[:MAX_TEXT], reason[:MAX_TEXT])


def _configure(rooms: Rooms, room: Room, values: Values) -> Settled:
    settings = config_form.read(values, room.settings, rooms.settings.max_occupants)
    people = _people(room, values)
    check_owners(room, people)
    before, room.settings = room.settings, settings
    settled = [rooms.unlock(room) if room.is_locked else rooms.note(room, settings=settings)]
    if people:
        settled.append(change(rooms, room, people))
    settled += [_apply(rooms, room, before), _announce(rooms, room, before)]
    settled.append(rooms.forget_if_deserted(room))
    return all_of(settled)


def _people(room: Room, values: Values) -> dict[Jid, Affiliate]:
    """The changes of owners and admins that the form asks for."""
    changes: dict[Jid, Affiliate] = {}
    for name, affiliation in ((config_form.ADMINS, ADMIN), (config_form.OWNERS, OWNER)):
        if name not in values:
            continue
        if len(values[name]) > MAX_AFFILIATES:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"a room keeps at most {MAX_AFFILIATES} affiliations")
        wanted = {jid.bare for text in values[name] if text.strip() and (jid := read_jid(text.strip())) is not None}
        for jid, kept in room.with_affiliation(affiliation):
            if jid not in wanted:
                changes.setdefault(jid, Affiliate(ADMIN if affiliation is OWNER else NONE, kept.nick))
        for jid in sorted(wanted):
            if room.affiliation(jid) is not affiliation or jid in changes:
                changes[jid] = Affiliate(affiliation, room.affiliate(jid).nick)
    return changes


def _apply(rooms: Rooms, room: Room, before: RoomSettings) -> Settled:
    """Remove or promote occupants as the new settings require."""
    told = []
    departures = [
        Departure(
            [*occupant.sessions.values()],
            Item(room.affiliation(occupant.bare), Role.NONE),
            (status.NOW_MEMBERS_ONLY,),
        )
        for occupant in room.occupants.values()
        if not room.may_enter(occupant.bare)  # section 10.2, end
    ]
    if departures:
        told.append(remove(rooms, room, departures))
    if before.is_moderated and not room.settings.is_moderated:  # else visitors would wait for voice in vain
        told += [_give_initial_role(rooms, room, occupant) for occupant in room.occupants.values()]
    return all_of(told)


def _give_initial_role(rooms: Rooms, room: Room, occupant: Occupant) -> Settled:
    """Give an occupant the role of its affiliation, if its present one is lower."""
    role = max(occupant.role, room.initial_role(room.affiliation(occupant.bare)))
    if role is occupant.role:
        return None
    occupant.role = role
    item, is_shown = item_of(room, occupant), room.is_shown(role)
    return all_of([tell(rooms, room, each, item, is_shown=is_shown) for each in occupant.sessions.values()])


def _announce(rooms: Rooms, room: Room, before: RoomSettings) -> Settled:
    """Tell all occupants of a changed configuration, with its effects on privacy (section 10.2.1)."""
    after = room.settings
    if after == before:
        return None
    codes = [status.CONFIGURED]
    if after.is_archived != before.is_archived:
        codes.append(status.ARCHIVED if after.is_archived else status.NOT_ARCHIVED)
    if after.whois != before.whois:
        codes.append(status.NOW_NON_ANONYMOUS if after.whois == "anyone" else status.NOW_SEMI_ANONYMOUS)
    return send_codes(rooms, room, codes)


def send_codes(rooms: Rooms, room: Room, codes: list[int]) -> Settled:
    """Send all occupants a message with these status codes."""
    statuses = "".join(f"<status code='{code}'/>" for code in codes)
    payload = f"<x xmlns='{USER}'>{statuses}</x>".encode()
    return rooms.send(message(room.jid, rooms.ctx.new_id(), payload, (USER_PAYLOAD,)), room.sessions.values())
