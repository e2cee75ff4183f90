"""Delivery receipts of XMPP (XEP-0184), which stand for those of a foreign network."""

from __future__ import annotations

from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make

RECEIPTS = "urn:xmpp:receipts"


def wants_receipt(stanza: Stanza) -> bool:
    """True where the sender asks to hear of the delivery (section 5.1)."""
    return stanza.id is not None and stanza.is_payload(RECEIPTS, "request")


def receipt_for(message_id: str, sender: Jid, contact: Jid, type: str | None, id: str) -> Stanza:
    """What tells the sender of the message with this id that the contact has it; `id` is its own."""
    payload = Element(f"{{{RECEIPTS}}}received", id=message_id)
    return make("message", to=sender, from_=contact, id=id, type=type, payload=[payload])
