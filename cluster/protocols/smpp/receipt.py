"""Delivery receipts: the text form (SMPP 3.4 appendix B) that message centres send in a deliver_sm."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from cluster.protocols.smpp.constants import ESM_CLASS_RECEIPT, ESM_CLASS_TYPE, MessageState, Tag
from cluster.protocols.smpp.pdu import Pdu, Sm

_STATS = {
    MessageState.ENROUTE: "ENROUTE",
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.ACCEPTED: "ACCEPTD",
    MessageState.UNKNOWN: "UNKNOWN",
    MessageState.REJECTED: "REJECTD",
}
_STATES = {stat[:5]: state for state, stat in _STATS.items()}
"""By the first letters: appendix B has words of seven letters, some message centres write them out (`DELIVERED`)."""
_FORM = re.compile(
    rb"id: ?(?P<id>\S+)\s.*?stat: ?(?P<stat>[A-Z]{5,20})\b(?:\s+err: ?(?P<err>\S+))?", re.DOTALL | re.IGNORECASE
)
_FORM_BYTES = 512
"""The fields are looked for in these octets: they take some 120, and a text follows."""
_DATE = "%y%m%d%H%M"


class Receipt(msgspec.Struct, frozen=True):
    """The final state of a message."""

    message_id: str
    """As in its submit_sm_resp."""
    state: MessageState
    error: str = "000"
    """Three characters whose meaning depends on the network."""


def receipt_text(receipt: Receipt, submitted: datetime, done: datetime, octets: bytes) -> bytes:
    """The short message of a receipt, for the message that began with these octets."""
    delivered = int(receipt.state is MessageState.DELIVERED)
    head = (
        f"id:{receipt.message_id} sub:001 dlvrd:{delivered:03} submit date:{submitted.strftime(_DATE)} "
        f"done date:{done.strftime(_DATE)} stat:{_STATS[receipt.state]} err:{receipt.error} text:"
    )
    return head.encode("ascii") + octets[:20]


def is_receipt(sm: Sm) -> bool:
    """Whether a deliver_sm is a receipt for an earlier message (section 5.2.12)."""
    return sm.esm_class & ESM_CLASS_TYPE == ESM_CLASS_RECEIPT


def is_text(sm: Sm) -> bool:
    """Whether a person wrote it: it is not a receipt, notification or acknowledgement (section 5.2.12)."""
    return not sm.esm_class & ESM_CLASS_TYPE


def receipt_of(pdu: Pdu) -> Receipt | None:
    """The content of the receipt: the optional parameters before the text; None if neither can be read."""
    found = _FORM.search(pdu.octets, 0, _FORM_BYTES)
    message_id, error = (
        ("", "000") if found is None else (found["id"].decode("latin-1"), (found["err"] or b"000").decode("latin-1"))
    )
    state = None if found is None else _STATES.get(found["stat"].decode("ascii").upper()[:5])
    if named := pdu.tlvs.get(Tag.RECEIPTED_MESSAGE_ID):
        message_id = named.partition(b"\0")[0].decode("latin-1")
    if (octets := pdu.tlvs.get(Tag.MESSAGE_STATE)) and octets[0] in _STATS:
        state = MessageState(octets[0])
    return None if not message_id or state is None else Receipt(message_id, state, error)
