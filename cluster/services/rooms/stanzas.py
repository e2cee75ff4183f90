"""Stanzas of a room without `to` in their bytes: for all occupants (`Copies`) and for the archive."""

from __future__ import annotations

import msgspec

from cluster.xmpp.jid import Jid
from cluster.xmpp.quoting import quoteattr
from cluster.xmpp.stanza import Stanza, opening


def presence(from_: Jid, type: str | None, payload: bytes, payloads: tuple[str, ...], id: str | None = None) -> Stanza:
    """Presence of a room with these children."""
    attributes = (f" id={quoteattr(id)}" if id is not None else "") + (f" type='{type}'" if type else "")
    raw = b"".join((opening("presence", from_), attributes.encode(), b">", payload, b"</presence>"))
    return Stanza("presence", None, from_, id, type, payloads, raw)


def message(from_: Jid, id: str, payload: bytes, payloads: tuple[str, ...]) -> Stanza:
    """A message of type groupchat with these children."""
    attributes = f" id={quoteattr(id)} type='groupchat'".encode()
    raw = b"".join((opening("message", from_), attributes, b">", payload, b"</message>"))
    return Stanza("message", None, from_, id, "groupchat", payloads, raw)


def archived(message: Stanza, room: Jid) -> Stanza:
    """The message as an archive keeps it (XEP-0313 section 6.1.2): addressed to the room, but with no `to` in its
    bytes."""
    return msgspec.structs.replace(message, to=room, trace_id="")
