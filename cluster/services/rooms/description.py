"""Service discovery of the service and its rooms (XEP-0045 section 6)."""

from __future__ import annotations

from cluster.host.disco import INFO, ITEMS, add_features, add_identities, result_form
from cluster.host.module import Identity, Item
from cluster.server.services.service import ServiceContext, ServiceModule
from cluster.services.rooms.directory import rooms
from cluster.services.rooms.room import Room
from cluster.services.rooms.settings import MAX_TEXT
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.muc import INFO as ROOM_INFO
from cluster.xmpp.extensions.muc import MODERATE, MUC, OCCUPANT_ID, RETRACT
from cluster.xmpp.extensions.rsm import RSM
from cluster.xmpp.extensions.vcard import VCARD
from cluster.xmpp.namespaces import CLIENT, MAM, REGISTER, STANZA_ID
from cluster.xmpp.stanza import Stanza

STABLE_ID = f"{MUC}#stable_id"
SELF_PING = f"{MUC}#self-ping-optimization"
TRAFFIC = f"{MUC}#traffic"
TOMBSTONE = f"{RETRACT}#tombstone"
OWN_NICK = "x-roomuser-item"
_OF_ROOMS = (
    MUC, STABLE_ID, SELF_PING, OCCUPANT_ID, STANZA_ID, MODERATE, RETRACT, TOMBSTONE, REGISTER, INFO, ITEMS, RSM,
    VCARD,
)  # fmt: skip

module = ServiceModule("description", ns=INFO, xep=30, version="2.5rc3")


@module.disco_items(addressed_to=("domain",))
async def public_rooms(ctx: ServiceContext, about: None) -> list[Item]:
    """The rooms that are not hidden, with their numbers of occupants (section 6.3)."""
    listed = [room for room in rooms.of(ctx).rooms.values() if room.settings.is_public and not room.is_locked]
    return [Item(room.jid, name=f"{title(room)} ({len(room.occupants)})") for room in listed]


def title(room: Room) -> str:
    """The name of a room for people."""
    return room.settings.title or room.jid.localpart


@module.on_iq("get", "query", addressed_to=("account",))
def room_info(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """A room, or the reserved nick of the requester (sections 6.4 and 7.12)."""
    assert iq.to is not None
    assert iq.from_ is not None
    room = rooms.of(ctx).room(iq.to.localpart)
    node = iq.payload().get("node", "")
    query = Element(f"{{{INFO}}}query", {"node": node} if node else {})
    if node == OWN_NICK:
        nick = room.affiliate(iq.from_.bare).nick
        if nick:
            add_identities(query, [Identity("conference", "text", nick)])
        return iq.reply(query)
    if node == TRAFFIC:  # section 18.1.1: nothing is left out
        raise StanzaError(Condition.SERVICE_UNAVAILABLE, "the room leaves nothing out of what is said in it")
    if node:
        raise StanzaError(Condition.ITEM_NOT_FOUND, f"no disco node {node}")
    add_identities(query, [Identity("conference", "text", title(room))])
    add_features(query, [*_OF_ROOMS, *_kinds(room), *([MAM, f"{MAM}#extended"] if room.settings.is_archived else [])])
    query.append(result_form(ROOM_INFO, _extended(room)))
    return iq.reply(query)


@module.on_iq("get", "query", ns=ITEMS, addressed_to=("account",))
def room_items(ctx: ServiceContext, iq: Stanza) -> Stanza:
    """An empty list: a room does not disclose its occupants (section 6.5)."""
    assert iq.to is not None
    rooms.of(ctx).room(iq.to.localpart)
    node = iq.payload().get("node")
    return iq.reply(Element(f"{{{ITEMS}}}query", {} if node is None else {"node": node}))


def _kinds(room: Room) -> list[str]:
    """Section 16.3: one of each pair."""
    settings = room.settings
    return [
        "muc_passwordprotected" if settings.password else "muc_unsecured",
        "muc_public" if settings.is_public else "muc_hidden",
        "muc_persistent" if settings.is_persistent else "muc_temporary",
        "muc_membersonly" if settings.is_members_only else "muc_open",
        "muc_moderated" if settings.is_moderated else "muc_unmoderated",
        "muc_nonanonymous" if settings.whois == "anyone" else "muc_semianonymous",
    ]


def _extended(room: Room) -> dict[str, list[str]]:
    settings = room.settings
    fields = {
        "muc#roominfo_description": settings.description,
        "muc#roominfo_lang": settings.lang,
        "muc#roominfo_subject": subject_of(room),
        "muc#roominfo_subjectmod": str(int(settings.subject_is_free)),
        "muc#roominfo_occupants": str(len(room.occupants)),
        "muc#roomconfig_changesubject": str(int(settings.subject_is_free)),
        "muc#roomconfig_pubsub": settings.pubsub_node,
        "muc#maxhistoryfetch": str(settings.history_messages),
        "muc#roominfo_avatarhash": room.avatar_hash,
    }
    return {name: [value] for name, value in fields.items() if value}


def subject_of(room: Room) -> str:
    """The text of the subject, shortened to MAX_TEXT; empty without a subject."""
    if room.subject is None:
        return ""
    return (xml.text_of(room.subject.stanza.tree, f"{{{CLIENT}}}subject") or "")[:MAX_TEXT]
