"""Messages of a room that are taken back: a tombstone stays in their place (XEP-0424 section 5, XEP-0425 section 5)."""

from __future__ import annotations

from cluster.base.settled import Settled, until_settled
from cluster.services.rooms.directory import Rooms
from cluster.services.rooms.room import Occupant, Room
from cluster.services.rooms.stanzas import archived, message
from cluster.store.archive import ArchivedMessage, UnknownId
from cluster.xmpp import element as xml
from cluster.xmpp import timestamp
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.mam import Query
from cluster.xmpp.extensions.muc import OCCUPANT_ID, OCCUPANT_ID_PAYLOAD, RETRACT, TOMBSTONE_PAYLOAD
from cluster.xmpp.namespaces import STANZA_ID
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza


async def said_with(rooms: Rooms, room: Room, id: str) -> ArchivedMessage:
    """The message with this stanza-id. Raises StanzaError if there is none."""
    for said in room.history:
        if said.id == id:
            return ArchivedMessage(id, said.came_utc_s, archived(said.message, room.jid))
    try:
        page = await rooms.ctx.store.room_archives.query(room.jid, Query(ids=frozenset((id,))))
    except UnknownId:
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"the room has no message {id}") from None
    return page.messages[0]


async def retract(rooms: Rooms, room: Room, author: Occupant, retraction: Stanza) -> None:
    """Put a tombstone in the place of the message that this one of its author takes back.

    A retraction of what somebody else said, or of what is not known, is passed on like any message, and changes nothing
    here (XEP-0424 section 6).
    """
    element = retraction.tree.find(f"{{{RETRACT}}}retract")
    assert element is not None
    try:
        said = await said_with(rooms, room, element.get("id", ""))
    except StanzaError:
        return
    if TOMBSTONE_PAYLOAD in said.stanza.payloads:
        return  # the first retraction counts: an author does not put theirs in the place of a moderator's
    written = _author_of(said.stanza)
    if written is not None and written.get("id") == author.id:
        await until_settled(bury(rooms, room, said, f" id={quoteattr(retraction.id or '')}", ""))


def bury(rooms: Rooms, room: Room, said: ArchivedMessage, attributes: str, inner: str) -> Settled:
    """Replace a message, in archive and history, by a tombstone with only author and time.

    `attributes`, `inner`: of `<retracted/>`, beside its time.
    """
    stanza = said.stanza
    assert stanza.from_ is not None
    author = _author_of(stanza)
    author_id = xml.serialize(author).decode() if author is not None else ""
    stamp = timestamp.to_text(rooms.ctx.now_utc_s())
    retracted = f"<retracted xmlns='{RETRACT}'{attributes} stamp='{stamp}'>{inner}</retracted>"
    content = f"{author_id}{retracted}<stanza-id xmlns='{STANZA_ID}' by='{room.jid}' id={quoteattr(said.id)}/>"
    payloads = (OCCUPANT_ID_PAYLOAD, TOMBSTONE_PAYLOAD, f"{STANZA_ID} stanza-id")
    tombstone = message(stanza.from_, stanza.id or said.id, content.encode(), payloads)
    room.history.replace(said.id, tombstone)
    kept = ArchivedMessage(said.id, said.came_utc_s, archived(tombstone, room.jid))
    return rooms.ctx.store.room_archives.replace(room.jid.localpart, kept)


def _author_of(message: Stanza) -> Element | None:
    return message.tree.find(f"{{{OCCUPANT_ID}}}occupant-id")
