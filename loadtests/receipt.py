"""Messages to people who are not users of the load: a receipt (XEP-0184) says that one arrived."""

from __future__ import annotations

from cluster.xmpp import element as xml
from cluster.xmpp.jid import Jid
from cluster.xmpp.quoting import escape, quoteattr

NS = "urn:xmpp:receipts"
PAYLOAD = f"{NS} received"
"""The name of the receipt among a stanza's children."""


def message(to: Jid, id: str, body: str) -> bytes:
    """A chat message that asks for a receipt, ready for the wire."""
    return (
        f"<message to={quoteattr(str(to))} id='{id}' type='chat'><body>{escape(body)}</body>"
        f"<request xmlns='{NS}'/></message>"
    ).encode()


def read(raw: bytes) -> str:
    """The id of the message of this receipt (see PAYLOAD). Raises ValueError for other stanzas."""
    found = xml.parse(raw).find(f"{{{NS}}}received")
    if found is None:
        raise ValueError("the message is no receipt")
    return str(found.get("id", ""))
