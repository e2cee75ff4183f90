"""One stanza of a room for many receivers: its bytes are made once, and only `to` differs."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import msgspec

from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Kind, Stanza, opening, to_attribute


class Copies(msgspec.Struct, frozen=True, gc=False):
    """All of a stanza but whom it is for."""

    kind: Kind
    from_: Jid
    id: str | None
    type: str | None
    payloads: tuple[str, ...]
    behind: bytes
    """What stands behind the `from` and `to` of its opening tag, to its end."""
    trace_id: str = ""

    def to(self, jid: Jid) -> Stanza:
        """The copy for this address. To another domain their bytes cross once (router/entry.py)."""
        raw = b"".join((opening(self.kind, self.from_), to_attribute(jid), self.behind))
        return Stanza(self.kind, jid, self.from_, self.id, self.type, self.payloads, raw, self.trace_id)

    @staticmethod
    def of(stanza: Stanza) -> Copies:
        """What `without_to` made."""
        behind = stanza.raw[len(opening(stanza.kind, _sender(stanza))) :]
        return Copies(stanza.kind, _sender(stanza), stanza.id, stanza.type, stanza.payloads, behind)

    def without_to(self, room: Jid) -> Stanza:
        """The stanza as an archive keeps it (XEP-0313 section 5.1.2): of the room, and no `to` in its bytes."""
        raw = opening(self.kind, self.from_) + self.behind
        return Stanza(self.kind, room, self.from_, self.id, self.type, self.payloads, raw)


def _sender(stanza: Stanza) -> Jid:
    assert stanza.from_ is not None  # the room has stamped it
    return stanza.from_


def presence(from_: Jid, type: str | None, payload: bytes, payloads: tuple[str, ...], id: str | None = None) -> Copies:
    """Presence of a room with these children."""
    attributes = (f" id={quoteattr(id)}" if id is not None else "") + (f" type='{type}'" if type else "")
    return Copies("presence", from_, id, type, payloads, attributes.encode() + b">" + payload + b"</presence>")


def message(from_: Jid, id: str, type: str | None, payload: bytes, payloads: tuple[str, ...]) -> Copies:
    """A message of a room with these children."""
    attributes = f" id={quoteattr(id)}" + (f" type='{type}'" if type else "")
    return Copies("message", from_, id, type, payloads, attributes.encode() + b">" + payload + b"</message>")
