"""Messages for the room itself: invitations, their refusal, requests for voice (XEP-0045 sections 7.8, 7.13, 8.6)."""

from __future__ import annotations

from cluster.base import reasons
from cluster.base.settled import Settled, all_of
from cluster.services.rooms.administration import give_role
from cluster.services.rooms.affiliations import grant
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.nicks import no_occupant
from cluster.services.rooms.privileges import ADMIN, MEMBER, MODERATOR, PARTICIPANT, Privilege, may
from cluster.services.rooms.room import Room, Session
from cluster.services.rooms.settings import MAX_ITEMS, MAX_TEXT
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.extensions.muc import REQUEST, USER, USER_PAYLOAD, Invitation, read_invitations
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make

MAX_INVITATIONS = 10
"""In one message."""


def not_in_room(what: str) -> StanzaError:
    """Only occupants may do this."""
    text = f"only occupants of the room may {what}"
    return StanzaError(Condition.NOT_ACCEPTABLE, text, reason=reasons.NOT_IN_ROOM)


def take_request(rooms: Rooms, room: Room, session: Session | None, stanza: Stanza) -> Settled:
    """A message to the room itself, not to its occupants."""
    if USER_PAYLOAD in stanza.payloads:
        invitations = [*read_invitations(stanza.tree)]
        if len(invitations) > MAX_INVITATIONS:
            raise StanzaError(Condition.NOT_ACCEPTABLE, f"a message has at most {MAX_INVITATIONS} invitations")
        if invitations:
            return all_of([_invitation(rooms, room, session, stanza, each) for each in invitations])
    if session is None:
        raise not_in_room("write to it")
    form = stanza.tree.find(f"{{{DATA}}}x")
    if form is not None:
        values = data_form.values(form)
        if values.get("FORM_TYPE") == [REQUEST]:
            return _voice(rooms, room, session, values)
    raise StanzaError(Condition.BAD_REQUEST, "a message for all in the room is of type groupchat")


# --- invitations


def _invitation(rooms: Rooms, room: Room, session: Session | None, stanza: Stanza, invitation: Invitation) -> Settled:
    if invitation.is_declined:
        return _decline(rooms, room, stanza, invitation)
    if session is None:
        raise not_in_room("invite others")
    bare, settings = session.occupant.bare, room.settings
    if not may(session.occupant.role, Privilege.INVITE, settings):
        raise StanzaError(Condition.FORBIDDEN, "you may not invite others", reason=reasons.ROOM_FORBIDS)
    invitee, granted = invitation.to, None
    if settings.is_members_only and room.affiliation(invitee.bare) < MEMBER:
        if room.affiliation(bare) < ADMIN and not settings.members_may_invite:
            text = "only admins invite to this room, since only members may enter it"
            raise StanzaError(Condition.FORBIDDEN, text, reason=reasons.ROOM_FORBIDS)
        if not invitee.localpart:  # section 9.2: it would be a whole domain
            raise StanzaError(Condition.NOT_ACCEPTABLE, "an invitation makes a member of one person only")
        granted = grant(rooms, room, invitee.bare)
    _note(room, invitee.bare, bare)
    by = bare if settings.whois == "anyone" else session.occupant.jid
    x = _x("invite", by, invitation.element)
    if settings.password:
        SubElement(x, f"{{{USER}}}password").text = settings.password
    return all_of([granted, rooms.ctx.route(make("message", from_=room.jid, to=invitee, id=stanza.id, payload=[x]))])


def _note(room: Room, invitee: Jid, by: Jid) -> None:
    room.invited.pop(invitee, None)
    room.invited[invitee] = by
    if len(room.invited) > MAX_ITEMS:
        del room.invited[next(iter(room.invited))]


def _decline(rooms: Rooms, room: Room, stanza: Stanza, invitation: Invitation) -> Settled:
    """Pass a refusal on, from an invitee to the inviter only: a room must not be a way around a block list."""
    assert stanza.from_ is not None
    invitee = stanza.from_.bare
    inviter = room.invited.pop(invitee, None)
    if inviter is None:
        raise StanzaError(Condition.NOT_ACCEPTABLE, "nobody has invited you to this room")
    x = _x("decline", invitee, invitation.element)
    inside = [each.jid for each in room.sessions.values() if each.occupant.bare == inviter]
    route = rooms.ctx.route
    return all_of(
        [route(make("message", from_=room.jid, to=to, id=stanza.id, payload=[x])) for to in inside or [inviter]]
    )


def _x(name: str, by: Jid, written: Element) -> Element:
    """The element as the sender wrote it, with `from` in place of `to`."""
    x = Element(f"{{{USER}}}x")
    said = SubElement(x, f"{{{USER}}}{name}", {"from": str(by)})
    reason = xml.text_of(written, f"{{{USER}}}reason")
    if reason is not None:
        SubElement(said, f"{{{USER}}}reason").text = reason[:MAX_TEXT]
    goes_on = written.find(f"{{{USER}}}continue")
    if goes_on is not None:  # section 7.9
        SubElement(said, f"{{{USER}}}continue", goes_on.attrib)
    return x


# --- voice


def _voice(rooms: Rooms, room: Room, session: Session, values: data_form.Values) -> Settled:
    if session.occupant.role >= PARTICIPANT and "muc#request_allow" not in values:
        return None  # it has voice already
    if session.occupant.role is not MODERATOR:
        form = _approval(session)
        return all_of(
            [
                rooms.ctx.route(make("message", from_=room.jid, to=each.jid, id=rooms.ctx.new_id(), payload=[form]))
                for each in room.moderators()
            ]
        )
    if not data_form.is_true(values.get("muc#request_allow")):
        return None
    nick = "".join(values.get("muc#roomnick", [])[:1])
    occupant = room.occupant(nick)
    if occupant is None:
        raise no_occupant(nick)
    return give_role(rooms, room, session, occupant, max(PARTICIPANT, occupant.role), "")


def _approval(session: Session) -> Element:
    """The form for moderators (section 8.6)."""
    form = data_form.new("form", REQUEST, "To let this visitor speak, allow it and send the form back.")
    data_form.add(form, "muc#role", "list-single", ["participant"], "Requested role")
    data_form.add(form, "muc#jid", "jid-single", [str(session.jid)], "User ID")
    data_form.add(form, "muc#roomnick", "text-single", [session.occupant.nick], "Room nickname")
    data_form.add(form, "muc#request_allow", "boolean", ["false"], "Grant voice to this person?")
    return form
