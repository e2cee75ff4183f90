"""Delivery receipts of XMPP (XEP-0184), which represent those of a foreign network."""

from __future__ import annotations

from cluster.xmpp.element import Element
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza, make

RECEIPTS = "urn:xmpp:receipts"


def wants_receipt(stanza: Stanza) -> bool:
    """Whether the sender requests a receipt (section 5.1)."""
    return stanza.id is not None and stanza.is_payload(RECEIPTS, "request")


def receipt_for(message_id: str, sender: Jid, contact: Jid, type: str | None, id: str) -> Stanza:
    """The receipt for the message with this id of the sender; `id` is that of the receipt."""
    payload = Element(f"{{{RECEIPTS}}}received", id=message_id)
    return make("message", to=sender, from_=contact, id=id, type=type, payload=[payload])
