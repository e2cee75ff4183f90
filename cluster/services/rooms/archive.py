"""The archive of a room (XEP-0313), and what moderators take out of it (XEP-0425)."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from cluster.base.settled import Settled, all_of
from cluster.server.services.service import ServiceContext, ServiceModule
from cluster.services.rooms.copies import Copies, message
from cluster.services.rooms.directory import Rooms, rooms
from cluster.services.rooms.messages import keep
from cluster.services.rooms.privileges import MODERATOR, OUTCAST
from cluster.services.rooms.room import Occupant, Room
from cluster.services.rooms.settings import MAX_TEXT
from cluster.store.archive import ArchivedMessage, UnknownId
from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions import mam
from cluster.xmpp.extensions.muc import MODERATE, OCCUPANT_ID, OCCUPANT_ID_PAYLOAD, RETRACT
from cluster.xmpp.namespaces import HINTS, MAM, STANZA_ID
from cluster.xmpp.stanza import Stanza

module = ServiceModule("archive", ns=MAM, xep=313, version="1.1.3")


def _room(ctx: ServiceContext, iq: Stanza) -> tuple[Rooms, Room]:
    """The room, for whoever may enter it (section 5.1.2). Raises StanzaError."""
    assert iq.to is not None
    assert iq.from_ is not None
    found = rooms.of(ctx)
    room = found.room(iq.to.localpart)
    is_inside = iq.from_ in room.sessions
    if room.affiliation(iq.from_.bare) is OUTCAST or not room.may_enter(iq.from_.bare):
        raise StanzaError(Condition.FORBIDDEN, "only those who may enter the room read what was said in it")
    if room.settings.password and not is_inside and iq.from_.bare not in room.affiliates:
        raise StanzaError(Condition.FORBIDDEN, "this room needs a password: enter it first")
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
    settled = all_of(sent)
    if settled is not None:
        await settled  # whoever asks for page after page gets no more than the link or stream takes
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


# --- moderation

moderation = ServiceModule("moderation", ns=MODERATE, xep=425, version="0.3.0")


@moderation.on_iq("set", "moderate", addressed_to=("account",))
async def moderate(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """A moderator takes back what somebody said: all are told, and a tombstone stays (sections 4 and 5)."""
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
    said = await _said(ctx, room, id)
    reason = (xml.text_of(request, f"{{{MODERATE}}}reason") or "")[:MAX_TEXT]
    by = f"<moderated xmlns='{MODERATE}' by={quoteattr(str(session.occupant.jid))}>{_id(session.occupant)}</moderated>"
    by += f"<reason>{escape(reason)}</reason>" if reason else ""
    await _settled(_replace(found, room, said, by))
    await _settled(_tell(found, room, id, by))
    return iq.reply()


async def _settled(settled: Settled) -> None:
    if settled is not None:
        await settled


async def _said(ctx: ServiceContext, room: Room, id: str) -> ArchivedMessage:
    """What was said. Raises StanzaError where nothing with this id was."""
    for said in room.history:
        if said.id == id:
            return ArchivedMessage(id, said.came_utc_s, said.copies.without_to(room.jid))
    try:
        page = await ctx.store.room_archives.query(room.jid, mam.Query(ids=frozenset((id,))))
    except UnknownId:
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"the room has no message {id}") from None
    return page.messages[0]


def _id(occupant: Occupant) -> str:
    return f"<occupant-id xmlns='{OCCUPANT_ID}' id='{occupant.id}'/>"


def _replace(found: Rooms, room: Room, said: ArchivedMessage, by: str) -> Settled:
    """Only who said it and when is left, in the archive and in the history: a tombstone (section 5, XEP-0424)."""
    stanza = said.stanza
    assert stanza.from_ is not None
    author = stanza.tree.find(f"{{{OCCUPANT_ID}}}occupant-id")
    author_id = xml.serialize(author).decode() if author is not None else ""
    stamp = timestamp.to_text(found.ctx.now_utc_s())
    content = f"{author_id}<retracted xmlns='{RETRACT}' stamp='{stamp}'>{by}</retracted>{_stanza_id(room, said.id)}"
    payloads = (OCCUPANT_ID_PAYLOAD, f"{RETRACT} retracted", f"{STANZA_ID} stanza-id")
    copies = message(stanza.from_, stanza.id or said.id, "groupchat", content.encode(), payloads)
    room.history.replace(said.id, copies)
    tombstone = ArchivedMessage(said.id, said.came_utc_s, copies.without_to(room.jid))
    return found.ctx.store.room_archives.replace(room.jid.localpart, tombstone)


def _stanza_id(room: Room, id: str) -> str:
    return f"<stanza-id xmlns='{STANZA_ID}' by='{room.jid}' id={quoteattr(id)}/>"


def _tell(found: Rooms, room: Room, id: str, by: str) -> Settled:
    """All in the room hear of it, and whoever reads the archive later does (section 4.1)."""
    own = found.ctx.new_id()
    hint = f"<store xmlns='{HINTS}'/>"
    retract = f"<retract xmlns='{RETRACT}' id={quoteattr(id)}>{by}</retract>"
    content = f"{retract}{hint}{_stanza_id(room, own)}"
    payloads = (f"{RETRACT} retract", f"{HINTS} store", f"{STANZA_ID} stanza-id")
    copies: Copies = message(room.jid, own, "groupchat", content.encode(), payloads)
    now_utc_s = int(found.ctx.now_utc_s() * 1000 + 0.5) / 1000
    kept = keep(found, room, own, copies, now_utc_s)
    return all_of([kept, found.send(copies, room.sessions.values())])
