"""A text between two numbers as the short messages that carry it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cluster.protocols.smpp import concatenation, text
from cluster.protocols.smpp.address import address_of, number_of
from cluster.protocols.smpp.concatenation import Part
from cluster.protocols.smpp.constants import ESM_CLASS_UDHI, Tag
from cluster.protocols.smpp.pdu import Pdu, Sm
from cluster.protocols.smpp.text import MAX_PARTS


class ShortMessage(msgspec.Struct, frozen=True):
    """The body of one submit_sm or deliver_sm, and its optional parameters."""

    sm: Sm
    tlvs: Mapping[int, bytes]


def short_messages(
    source: str, destination: str, words: str, reference: int, registered_delivery: int = 0, trace_id: str = ""
) -> list[ShortMessage]:
    """One short message for a short text, several for a long one. Raises `text.TextTooLong`.

    The first has `reference` (16 bits) as its user_message_reference, each further one the next number; a repetition is
    recognised by it.
    """
    encoded = text.encode(words)
    source_address, destination_address = address_of(source), address_of(destination)
    total = len(encoded.parts)
    made = []
    for number, octets in enumerate(encoded.parts, 1):
        sm = Sm(
            source_addr_ton=source_address.ton,
            source_addr_npi=source_address.npi,
            source_addr=source_address.digits,
            dest_addr_ton=destination_address.ton,
            dest_addr_npi=destination_address.npi,
            destination_addr=destination_address.digits,
            esm_class=ESM_CLASS_UDHI if total > 1 else 0,
            registered_delivery=registered_delivery,
            data_coding=encoded.data_coding,
            short_message=(concatenation.header(reference, total, number) if total > 1 else b"") + octets,
        )
        tlvs = {int(Tag.USER_MESSAGE_REFERENCE): ((reference + number - 1) % 65536).to_bytes(2, "big")}
        if trace_id:
            tlvs[Tag.TRACE_ID] = trace_id.encode("ascii", "replace")
        made.append(ShortMessage(sm, tlvs))
    return made


def source_of(sm: Sm) -> str:
    """The sender's number."""
    return number_of(sm.source_addr_ton, sm.source_addr)


def destination_of(sm: Sm) -> str:
    """The recipient's number."""
    return number_of(sm.dest_addr_ton, sm.destination_addr)


def part_in(pdu: Pdu) -> Part:
    """The part in a submit_sm or deliver_sm, by its user data header or by the SAR parameters."""
    assert isinstance(pdu.body, Sm)
    if pdu.body.esm_class & ESM_CLASS_UDHI:
        return concatenation.part_of(pdu.octets)
    reference, total, number = (
        int.from_bytes(pdu.tlvs.get(tag, b""), "big")
        for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
    )
    if 1 <= number <= total <= MAX_PARTS:  # sections 5.3.2.22 to 5.3.2.24; otherwise "the SMSC shall ignore" them
        return Part(reference & 0xFFFF, total, number, pdu.octets)
    return Part(0, 1, 1, pdu.octets)


def trace_id_in(pdu: Pdu) -> str:
    """The trace id of the message; empty if it is not followed."""
    return pdu.tlvs.get(Tag.TRACE_ID, b"").decode("ascii", "replace")
