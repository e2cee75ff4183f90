"""The avatar of a room, in its vCard (XEP-0486, which applies XEP-0054 and XEP-0153 to rooms)."""

from __future__ import annotations

from cluster.base.settled import all_of, until_settled
from cluster.server.services.service import ServiceContext, ServiceModule
from cluster.services.rooms.configuration import send_codes
from cluster.services.rooms.directory import rooms
from cluster.services.rooms.presences import send_avatar
from cluster.services.rooms.privileges import OWNER
from cluster.services.rooms.settings import MAX_VCARD_BYTES
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.muc_status import CONFIGURED
from cluster.xmpp.extensions.vcard import VCARD, photo_hash
from cluster.xmpp.stanza import Stanza

module = ServiceModule("avatar", ns=VCARD, xep=54, version="1.2")


@module.on_iq("get", "vCard", addressed_to=("account",))
def answer(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """The room's vCard, or an empty one."""
    assert iq.to is not None
    room = rooms.of(ctx).room(iq.to.localpart)
    return iq.reply(xml.parse(room.vcard) if room.vcard else Element(f"{{{VCARD}}}vCard"))


@module.on_iq("set", "vCard", addressed_to=("account",))
async def change(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """An owner replaces the room's vCard, and all occupants are notified."""
    assert iq.to is not None
    assert iq.from_ is not None
    found = rooms.of(ctx)
    room = found.room(iq.to.localpart)
    if room.affiliation(iq.from_.bare) is not OWNER:
        raise StanzaError(Condition.FORBIDDEN, "only owners change the room's vCard")
    vcard = iq.payload()
    document = xml.serialize(vcard)
    if len(document) > MAX_VCARD_BYTES:
        raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"a room's vCard has at most {MAX_VCARD_BYTES} bytes")
    room.vcard, room.avatar_hash = document, photo_hash(vcard)
    settled = [found.note(room, vcard=document), send_codes(found, room, [CONFIGURED])]
    settled += [send_avatar(found, room, session) for session in room.sessions.values()]
    await until_settled(all_of(settled))
    return iq.reply()
