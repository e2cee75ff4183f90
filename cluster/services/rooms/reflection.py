"""From a message as its sender wrote it to one of the room: other addresses, and nothing that only the room may say."""

from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

import msgspec

from cluster.services.rooms.copies import Copies
from cluster.services.rooms.room import Occupant
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import OCCUPANT_ID, OCCUPANT_ID_PAYLOAD, USER, USER_PAYLOAD
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import DELAY, DELIVERY, STANZA_ID
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.stanza_id import stanza_id

_OPENING_TAG = re.compile(rb"<message((?:\s+[^\s=>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(/?)>")
_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_END = b"</message>"
_STANZA_ID = b"<stanza-id "
_STANZA_ID_PAYLOAD = f"{STANZA_ID} stanza-id"
_DELAY_PAYLOAD = f"{DELAY} delay"
_CLAIMED = frozenset((USER_PAYLOAD, OCCUPANT_ID_PAYLOAD, _STANZA_ID_PAYLOAD, _DELAY_PAYLOAD, f"{DELIVERY} delivery"))
"""What may be in a message only by a room's or a server's word (XEP-0045 section 17.3, XEP-0359, XEP-0421); see
`is_claim`."""


def reflected(message: Stanza, occupant: Occupant, room: Jid, new_id: str, stanza_id: str) -> Copies:
    """A message for all in the room, with the occupant's id and the id of the room's archive.

    `new_id`: where it has none (XEP-0045 section 7.4).
    """
    marks = (
        f"<occupant-id xmlns='{OCCUPANT_ID}' id='{occupant.id}'/>"
        f"<stanza-id xmlns='{STANZA_ID}' by='{room}' id='{stanza_id}'/>"
    )
    return _with(message, occupant, room, new_id, marks, (OCCUPANT_ID_PAYLOAD, _STANZA_ID_PAYLOAD))


def private(message: Stanza, occupant: Occupant, room: Jid) -> Copies:
    """A message of one occupant for another one (section 7.5)."""
    marks = f"<x xmlns='{USER}'/><occupant-id xmlns='{OCCUPANT_ID}' id='{occupant.id}'/>"
    return _with(message, occupant, room, "", marks, (USER_PAYLOAD, OCCUPANT_ID_PAYLOAD))


def without_id_of_server(message: Stanza, server: str) -> tuple[Stanza, str]:
    """The message without the mark of what came from elsewhere (see server/routing.py), and its id; else empty."""
    id = stanza_id(message, Jid("", server))
    if id is None:
        return message, ""
    raw = message.raw[: message.raw.rindex(_STANZA_ID)] + _END
    return msgspec.structs.replace(message, payloads=message.payloads[:-1], raw=raw), id


def _with(message: Stanza, occupant: Occupant, room: Jid, new_id: str, marks: str, payloads: tuple[str, ...]) -> Copies:
    if not _CLAIMED.isdisjoint(message.payloads):
        message = _without_claims(message, room)
    opening = _OPENING_TAG.match(message.raw)
    if opening is None or not message.raw.endswith((_END, b"/>")):  # white space in the end tag
        message = msgspec.structs.replace(message, raw=xml.serialize(message.tree))
        opening = _OPENING_TAG.match(message.raw)
        assert opening is not None
    kept = [each.group() for each in _ATTRIBUTE.finditer(opening[1]) if each[1] not in (b"from", b"to")]
    if message.id is None and new_id:
        kept.append(f" id={quoteattr(new_id)}".encode())
    content = b"" if opening[2] else message.raw[opening.end() : -len(_END)]
    behind = b"".join((*kept, b">", content, marks.encode(), _END))
    id = message.id if message.id is not None else new_id or None
    return Copies("message", occupant.jid, id, message.type, (*message.payloads, *payloads), behind, message.trace_id)


def _without_claims(message: Stanza, room: Jid) -> Stanza:
    tree = message.tree
    tree[:] = [child for child in tree if not is_claim(child, room)]
    names = tuple(" ".join(xml.split(child.tag)).lstrip() for child in tree)
    return msgspec.structs.replace(message, payloads=names, raw=xml.serialize(tree))


def is_claim(child: Element, room: Jid) -> bool:
    """Whether this child of a client's stanza says what only the room or its server may.

    Stanza-ids of others, such as of the sender's archive, stay (XEP-0359 section 5); so do delays of others, such as of
    what was said before in a chat of two (XEP-0045 section 7.9).
    """
    name = " ".join(xml.split(child.tag))
    if name == _STANZA_ID_PAYLOAD:
        return _domain_of(child.get("by", "")) in (room.domainpart, room.domainpart.partition(".")[2])
    if name == _DELAY_PAYLOAD:
        return _domain_of(child.get("from", "")) == room.domainpart
    return name in _CLAIMED


def _domain_of(address: str) -> str:
    return address.partition("/")[0].rpartition("@")[2].casefold()
