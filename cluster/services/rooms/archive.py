"""The archive of a room (XEP-0313), and the moderation of its messages (XEP-0425)."""

from __future__ import annotations

import msgspec

from cluster.base import reasons
from cluster.base.settled import Settled, all_of, until_settled
from cluster.server.services.service import ServiceContext, ServiceModule
from cluster.services.rooms.directory import Rooms, rooms
from cluster.services.rooms.messages import keep
from cluster.services.rooms.privileges import MODERATOR, OUTCAST, OWNER
from cluster.services.rooms.retraction import bury, said_with
from cluster.services.rooms.room import Occupant, Room
from cluster.services.rooms.settings import MAX_TEXT
from cluster.services.rooms.stanzas import message
from cluster.store.archive import UnknownId
from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import mam, mam_prefs
from cluster.xmpp.extensions.muc import MODERATE, OCCUPANT_ID, RETRACT
from cluster.xmpp.namespaces import HINTS, MAM, STANZA_ID
from cluster.xmpp.quoting import escape, quoteattr
from cluster.xmpp.stanza import Stanza

module = ServiceModule("archive", ns=MAM, xep=313, version="1.1.3")


def _room(ctx: ServiceContext, iq: Stanza) -> tuple[Rooms, Room]:
    """The room, if the requester may read its archive (section 5.1.2). Raises StanzaError."""
    assert iq.to is not None
    assert iq.from_ is not None
    found = rooms.of(ctx)
    room = found.room(iq.to.localpart)
    is_inside = iq.from_ in room.sessions
    if not room.may_enter(iq.from_.bare):
        text = "only those who may enter the room read what was said in it"
        reason = reasons.BANNED if room.affiliation(iq.from_.bare) is OUTCAST else reasons.MEMBERS_ONLY
        raise StanzaError(Condition.FORBIDDEN, text, reason=reason)
    if room.settings.password and not is_inside and iq.from_.bare not in room.affiliates:
        text = "this room needs a password: enter it first"
        raise StanzaError(Condition.FORBIDDEN, text, reason=reasons.ROOM_PASSWORD)
    if not room.settings.is_archived:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, "this room has no archive")
    return found, room


@module.on_iq("set", "query", addressed_to=("account",))
async def answer_query(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """A page of the archive, one message each, then its end (section 4)."""
    _, room = _room(ctx, iq)
    asking = iq.from_
    assert asking is not None
    query = mam.read_query(iq.payload())
    if query.with_ is not None and query.with_ != room.jid and query.with_.bare != room.jid:
        raise StanzaError(Condition.FORBIDDEN, "the archive of a room is asked for occupants by their nicks")
    try:
        page = await ctx.store.room_archives.query(room.jid, query)
    except UnknownId as error:
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"the archive has no message {error}") from None
    kept = reversed(page.messages) if query.flip else page.messages
    sent = [
        ctx.route(mam.result(room.jid, asking, query.queryid, each.id, each.came_utc_s, each.stanza)) for each in kept
    ]
    await until_settled(all_of(sent))  # a requester gets pages no faster than its link or stream takes them
    ids = [each.id for each in page.messages]
    return iq.reply(mam.fin(ids, page.first_index, page.count, page.is_complete))


@module.on_iq("get", "query", addressed_to=("account",))
def answer_form(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """What a query may ask for (section 4.1.5)."""
    _room(ctx, iq)
    query = Element(f"{{{MAM}}}query")
    query.append(mam.form())
    return iq.reply(query)


@module.on_iq("get", "metadata", addressed_to=("account",))
async def answer_metadata(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """The first and the last message (section 4.4)."""
    _, room = _room(ctx, iq)
    metadata = Element(f"{{{MAM}}}metadata")
    for name, before in (("start", None), ("end", "")):
        page = await ctx.store.room_archives.query(room.jid, mam.Query(max=1, page_before=before))
        for each in page.messages:
            stamp = timestamp.to_text(each.came_utc_s)
            SubElement(metadata, f"{{{MAM}}}{name}", id=each.id, timestamp=stamp)
    return iq.reply(metadata)


# --- preferences


@module.on_iq("get", "prefs", addressed_to=("account",))
def answer_preferences(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Whose messages are archived (XEP-0441 section 2.1)."""
    _, room = _owned_room(ctx, iq)
    return iq.reply(mam_prefs.to_element(room.settings.archive_preferences))


@module.on_iq("set", "prefs", addressed_to=("account",))
async def change_preferences(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """Change whose messages are archived from now on (XEP-0441 section 2.1)."""
    found, room = _owned_room(ctx, iq)
    preferences = mam_prefs.read(iq.payload())
    room.settings = msgspec.structs.replace(room.settings, archive_preferences=preferences)
    await until_settled(found.note(room, settings=room.settings))
    return iq.reply(mam_prefs.to_element(preferences))


def _owned_room(ctx: ServiceContext, iq: Stanza) -> tuple[Rooms, Room]:
    """The room of an owner: the preferences have real addresses. Raises StanzaError."""
    found, room = _room(ctx, iq)
    assert iq.from_ is not None
    if room.affiliation(iq.from_.bare) is not OWNER:
        raise StanzaError(Condition.FORBIDDEN, "only owners have the preferences of the archive")
    return found, room


# --- moderation

moderation = ServiceModule("moderation", ns=MODERATE, xep=425, version="0.3.0")


@moderation.on_iq("set", "moderate", addressed_to=("account",))
async def moderate(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """A moderator retracts a message: all are told, and a tombstone stays (sections 4 and 5)."""
    assert iq.to is not None
    assert iq.from_ is not None
    found = rooms.of(ctx)
    room = found.room(iq.to.localpart)
    session = room.sessions.get(iq.from_)
    if session is None or session.occupant.role is not MODERATOR:
        raise StanzaError(Condition.FORBIDDEN, "only moderators take back what others said")
    request = iq.payload()
    id = request.get("id", "")
    if not id or request.find(f"{{{RETRACT}}}retract") is None:
        raise StanzaError(Condition.BAD_REQUEST, "the id of a message and <retract/> are needed")
    said = await said_with(found, room, id)
    reason = (xml.text_of(request, f"{{{MODERATE}}}reason") or "")[:MAX_TEXT]
    by = f"<moderated xmlns='{MODERATE}' by={quoteattr(str(session.occupant.jid))}>{_id(session.occupant)}</moderated>"
    by += f"<reason>{escape(reason)}</reason>" if reason else ""
    await until_settled(bury(found, room, said, "", by))
    await until_settled(_tell(found, room, id, by))
    return iq.reply()


def _id(occupant: Occupant) -> str:
    return f"<occupant-id xmlns='{OCCUPANT_ID}' id='{occupant.id}'/>"


def _stanza_id(room: Room, id: str) -> str:
    return f"<stanza-id xmlns='{STANZA_ID}' by='{room.jid}' id={quoteattr(id)}/>"


def _tell(found: Rooms, room: Room, id: str, by: str) -> Settled:
    """Tell all occupants, and later readers of the archive (section 4.1)."""
    own = found.ctx.new_id()
    hint = f"<store xmlns='{HINTS}'/>"
    retract = f"<retract xmlns='{RETRACT}' id={quoteattr(id)}>{by}</retract>"
    content = f"{retract}{hint}{_stanza_id(room, own)}"
    payloads = (f"{RETRACT} retract", f"{HINTS} store", f"{STANZA_ID} stanza-id")
    retraction = message(room.jid, own, content.encode(), payloads)
    now_utc_s = timestamp.rounded(found.ctx.now_utc_s())
    kept = keep(found, room, own, retraction, now_utc_s, is_archived=room.settings.is_archived)
    return all_of([kept, found.send(retraction, room.sessions.values())])
