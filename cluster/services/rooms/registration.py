"""Registration with a room, which makes a member with a reserved nick (XEP-0045 section 7.10)."""

from __future__ import annotations

from cluster.base import reasons
from cluster.base.settled import until_settled
from cluster.server.services.service import ServiceContext, ServiceModule
from cluster.services.rooms.affiliations import change, check_owners
from cluster.services.rooms.directory import Rooms, rooms
from cluster.services.rooms.nicks import nick_taken, prepare
from cluster.services.rooms.privileges import ADMIN, MEMBER, NONE, OUTCAST
from cluster.services.rooms.room import Room
from cluster.store.rooms import Affiliate
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.data_form import DATA
from cluster.xmpp.extensions.muc import REGISTER_FORM
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import REGISTER
from cluster.xmpp.stanza import Stanza

_NICK = "muc#register_roomnick"
module = ServiceModule("registration", ns=REGISTER)


@module.on_iq("get", "query", addressed_to=("account",))
def requirements(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Send the registration form, or the nick of an account that is registered already."""
    _, room, bare = _room(ctx, iq)
    query = Element(f"{{{REGISTER}}}query")
    nick = room.affiliate(bare).nick
    if nick:
        SubElement(query, f"{{{REGISTER}}}registered")
        SubElement(query, f"{{{REGISTER}}}username").text = nick
        return iq.reply(query)
    _check(room, bare)
    form = data_form.new("form", REGISTER_FORM, "Who registers becomes a member, and nobody else gets the nickname.")
    field = data_form.add(form, _NICK, "text-single", label="Desired nickname")
    SubElement(field, f"{{{DATA}}}required")
    query.append(form)
    return iq.reply(query)


@module.on_iq("set", "query", addressed_to=("account",))
async def register(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Register an account, or cancel its registration (XEP-0077 section 3.2)."""
    found, room, bare = _room(ctx, iq)
    query = iq.payload()
    if query.find(f"{{{REGISTER}}}remove") is not None:
        changes = {bare: _unregistered(room, bare)}
    else:
        _check(room, bare)
        nick = prepare(_desired(query))
        if room.is_taken(nick, bare):
            raise nick_taken(nick)
        changes = {bare: Affiliate(max(MEMBER, room.affiliation(bare)), nick)}
    check_owners(room, changes)
    await until_settled(change(found, room, changes))
    return iq.reply()


def _room(ctx: ServiceContext, iq: Stanza) -> tuple[Rooms, Room, Jid]:
    assert iq.to is not None
    assert iq.from_ is not None
    found = rooms.of(ctx)
    return found, found.room(iq.to.localpart), iq.from_.bare


def _check(room: Room, bare: Jid) -> None:
    """Raises StanzaError if this account may not register."""
    affiliation = room.affiliation(bare)
    if affiliation is OUTCAST:
        raise StanzaError(Condition.FORBIDDEN, "you are banned from this room", reason=reasons.BANNED)
    if room.is_locked or (room.settings.is_members_only and affiliation is NONE):
        raise StanzaError(Condition.NOT_ALLOWED, "only admins make members of this room")


def _unregistered(room: Room, bare: Jid) -> Affiliate:
    """The entry after a cancelled registration: admins and owners lose only the nick."""
    affiliate = room.affiliates.get(bare)
    if affiliate is None or affiliate.affiliation is OUTCAST:
        raise StanzaError(Condition.REGISTRATION_REQUIRED, "you are not registered with this room")
    return Affiliate(affiliate.affiliation if affiliate.affiliation >= ADMIN else NONE)


def _desired(query: Element) -> str:
    form = query.find(f"{{{DATA}}}x")
    if form is None:
        nick = xml.text_of(query, f"{{{REGISTER}}}username") or ""
    else:
        values = data_form.values(form)
        if values.get("FORM_TYPE") != [REGISTER_FORM]:
            raise StanzaError(Condition.BAD_REQUEST, f"the form's FORM_TYPE is {REGISTER_FORM}")
        nick = "".join(values.get(_NICK, [])[:1])
    if not nick:
        raise StanzaError(Condition.BAD_REQUEST, f"{_NICK} is missing")
    return nick
