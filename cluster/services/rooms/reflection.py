"""Turns an occupant's message into one of the room: with other addresses, without elements that only a room may add."""

from __future__ import annotations

import re

import msgspec

from cluster.services.rooms.room import Occupant
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.muc import OCCUPANT_ID, OCCUPANT_ID_PAYLOAD, USER, USER_PAYLOAD
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import DELAY, DELIVERY, STANZA_ID
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza, opening, payload_names
from cluster.xmpp.stanza_id import stanza_id

_OPENING_TAG = re.compile(rb"<message((?:\s+[^\s=>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*)\s*(/?)>")
_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_END = b"</message>"
_STANZA_ID = b"<stanza-id "
_STANZA_ID_PAYLOAD = f"{STANZA_ID} stanza-id"
_DELAY_PAYLOAD = f"{DELAY} delay"
_CLAIMED = frozenset((USER_PAYLOAD, OCCUPANT_ID_PAYLOAD, _STANZA_ID_PAYLOAD, _DELAY_PAYLOAD, f"{DELIVERY} delivery"))
"""Elements that only a room or a server may add (XEP-0045 section 17.3, XEP-0359, XEP-0421); see `is_claim`."""


def reflected(message: Stanza, occupant: Occupant, room: Jid, new_id: str, stanza_id: str) -> Stanza:
    """A message for all occupants, with the sender's occupant-id and the id of the room's archive.

    `new_id`: for a message without an id (XEP-0045 section 7.4).
    """
    marks = (
        f"<occupant-id xmlns='{OCCUPANT_ID}' id='{occupant.id}'/>"
        f"<stanza-id xmlns='{STANZA_ID}' by='{room}' id='{stanza_id}'/>"
    )
    return _with(message, occupant, room, new_id, marks, (OCCUPANT_ID_PAYLOAD, _STANZA_ID_PAYLOAD))


def private(message: Stanza, occupant: Occupant, room: Jid) -> Stanza:
    """A private message (section 7.5)."""
    marks = f"<x xmlns='{USER}'/><occupant-id xmlns='{OCCUPANT_ID}' id='{occupant.id}'/>"
    return _with(message, occupant, room, "", marks, (USER_PAYLOAD, OCCUPANT_ID_PAYLOAD))


def without_id_of_server(message: Stanza, server: str) -> tuple[Stanza, str]:
    """The message without the stanza-id that the server added on arrival (server/routing.py); that id, else empty."""
    id = stanza_id(message, Jid("", server))
    if id is None:
        return message, ""
    raw = message.raw[: message.raw.rindex(_STANZA_ID)] + _END
    return msgspec.structs.replace(message, payloads=message.payloads[:-1], raw=raw), id


def _with(message: Stanza, occupant: Occupant, room: Jid, new_id: str, marks: str, payloads: tuple[str, ...]) -> Stanza:
    if not _CLAIMED.isdisjoint(message.payloads):
        message = _without_claims(message, room)
    tag = _OPENING_TAG.match(message.raw)
    if tag is None or not message.raw.endswith((_END, b"/>")):  # white space in the end tag
        message = msgspec.structs.replace(message, raw=xml.serialize(message.tree))
        tag = _OPENING_TAG.match(message.raw)
        assert tag is not None
    kept = [each.group() for each in _ATTRIBUTE.finditer(tag[1]) if each[1] not in (b"from", b"to")]
    if message.id is None and new_id:
        kept.append(f" id={quoteattr(new_id)}".encode())
    content = b"" if tag[2] else message.raw[tag.end() : -len(_END)]
    raw = b"".join((opening("message", occupant.jid), *kept, b">", content, marks.encode(), _END))
    id = message.id if message.id is not None else new_id or None
    names = (*message.payloads, *payloads)
    return Stanza("message", None, occupant.jid, id, message.type, names, raw, message.trace_id)


def _without_claims(message: Stanza, room: Jid) -> Stanza:
    tree = message.tree
    tree[:] = [child for child in tree if not is_claim(child, room)]
    return msgspec.structs.replace(message, payloads=payload_names(tree), raw=xml.serialize(tree))


def is_claim(child: Element, room: Jid) -> bool:
    """Whether this child of a client's stanza claims to be from the room or its server.

    Stanza-ids of others, such as the sender's archive, stay (XEP-0359 section 5); so do delays of others, as in the
    history of a one-to-one chat (XEP-0045 section 7.9).
    """
    name = " ".join(xml.split(child.tag))
    if name == _STANZA_ID_PAYLOAD:
        return _domain_of(child.get("by", "")) in (room.domainpart, room.domainpart.partition(".")[2])
    if name == _DELAY_PAYLOAD:
        return _domain_of(child.get("from", "")) == room.domainpart
    return name in _CLAIMED


def _domain_of(address: str) -> str:
    return address.partition("/")[0].rpartition("@")[2].casefold()
