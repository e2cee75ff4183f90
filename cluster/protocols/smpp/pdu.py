"""PDUs (SMPP 3.4 sections 4 and 5): values and their bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from cluster.protocols.smpp.constants import INTERFACE_VERSION, CommandId, CommandStatus, Tag

HEADER = struct.Struct(">IIII")
_TLV = struct.Struct(">HH")
MAX_SEQUENCE_NUMBER = 0x7FFFFFFF
MAX_SHORT_MESSAGE_BYTES = 254
"""Section 5.2.22; longer content goes into message_payload or several messages."""


class MalformedPdu(Exception):
    """The peer sent a PDU with a valid frame and invalid content: it gets the status, and the session continues."""

    def __init__(self, reason: str, command_status: int, command_id: int = 0, sequence_number: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.command_status = command_status
        self.command_id = command_id
        self.sequence_number = sequence_number


class Bind(msgspec.Struct, frozen=True):
    """The body of bind_transceiver, bind_transmitter and bind_receiver (section 4.1)."""

    system_id: str
    password: str = ""
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""


class BindResp(msgspec.Struct, frozen=True):
    """The body of their responses."""

    system_id: str = ""


class Sm(msgspec.Struct, frozen=True, kw_only=True):
    """The body of submit_sm (section 4.4) and of deliver_sm (section 4.6)."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""


class SmResp(msgspec.Struct, frozen=True):
    """The body of submit_sm_resp and deliver_sm_resp."""

    message_id: str = ""


class Empty(msgspec.Struct, frozen=True):
    """enquire_link, unbind, their responses, and generic_nack have no body."""


Body = Bind | BindResp | Sm | SmResp | Empty

_INTEGER = 0
_OCTETS = -1
_SIZES: dict[type[Body], dict[str, int]] = {
    Bind: {"system_id": 16, "password": 9, "system_type": 13, "address_range": 41},
    BindResp: {"system_id": 16},
    Sm: {
        "service_type": 6, "source_addr": 21, "destination_addr": 21, "schedule_delivery_time": 17,
        "validity_period": 17, "short_message": _OCTETS,
    },
    SmResp: {"message_id": 65},
    Empty: {},
}  # fmt: skip
"""Largest size of the C-octet strings with their NUL; all other fields are integers of one octet."""

_LAYOUTS = {
    body: [(name, sizes.get(name, _INTEGER)) for name in body.__struct_fields__] for body, sizes in _SIZES.items()
}

_BODIES: dict[CommandId, type[Body]] = {
    CommandId.BIND_TRANSCEIVER: Bind,
    CommandId.BIND_TRANSMITTER: Bind,
    CommandId.BIND_RECEIVER: Bind,
    CommandId.BIND_TRANSCEIVER_RESP: BindResp,
    CommandId.BIND_TRANSMITTER_RESP: BindResp,
    CommandId.BIND_RECEIVER_RESP: BindResp,
    CommandId.SUBMIT_SM: Sm,
    CommandId.DELIVER_SM: Sm,
    CommandId.SUBMIT_SM_RESP: SmResp,
    CommandId.DELIVER_SM_RESP: SmResp,
}

_REFUSALS = {
    "system_id": CommandStatus.ESME_RINVSYSID,
    "password": CommandStatus.ESME_RINVPASWD,
    "system_type": CommandStatus.ESME_RINVSYSTYP,
    "service_type": CommandStatus.ESME_RINVSERTYP,
    "source_addr": CommandStatus.ESME_RINVSRCADR,
    "destination_addr": CommandStatus.ESME_RINVDSTADR,
    "schedule_delivery_time": CommandStatus.ESME_RINVSCHED,
    "validity_period": CommandStatus.ESME_RINVEXPIRY,
    "short_message": CommandStatus.ESME_RINVMSGLEN,
}
"""The status for an unreadable field; ESME_RINVCMDLEN for the others."""

_NO_TLVS: Mapping[int, bytes] = MappingProxyType({})


class Pdu(msgspec.Struct, frozen=True):
    """One PDU. Optional parameters are octets by tag, also unknown ones (section 3.3)."""

    command_id: CommandId
    sequence_number: int
    body: Body = Empty()
    command_status: int = 0
    tlvs: Mapping[int, bytes] = _NO_TLVS

    @property
    def octets(self) -> bytes:
        """The user data of a submit_sm or deliver_sm, from either field (section 5.3.2.32)."""
        assert isinstance(self.body, Sm)
        return self.body.short_message or self.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")

    @property
    def size_bytes(self) -> int:
        """About its size in memory: its variable parts."""
        own = len(self.body.short_message) if isinstance(self.body, Sm) else 0
        return own + sum(map(len, self.tlvs.values()))

    def response(
        self, command_status: int = 0, body: Body | None = None, tlvs: Mapping[int, bytes] | None = None
    ) -> Pdu:
        """The response to this request. A refusal has no body (sections 4.1.2 and 4.4.2)."""
        command_id = self.command_id.response
        if command_status:
            body = Empty()
        elif body is None:
            body = SmResp() if _BODIES.get(command_id) is SmResp else Empty()
        return Pdu(command_id, self.sequence_number, body, command_status, tlvs or _NO_TLVS)


def encode(pdu: Pdu) -> bytes:
    """The bytes of a PDU. Raises ValueError for a field that the protocol cannot carry."""
    parts = [_encode_field(name, size, getattr(pdu.body, name)) for name, size in _LAYOUTS[type(pdu.body)]]
    for tag, value in pdu.tlvs.items():
        parts += _TLV.pack(tag, len(value)), value
    body = b"".join(parts)
    return HEADER.pack(HEADER.size + len(body), pdu.command_id, pdu.command_status, pdu.sequence_number) + body


def _encode_field(name: str, size: int, value: str | int | bytes) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(1, "big")
    if isinstance(value, bytes):
        if len(value) > MAX_SHORT_MESSAGE_BYTES:
            raise ValueError(f"{name} has {len(value)} octets, at most {MAX_SHORT_MESSAGE_BYTES} fit")
        return len(value).to_bytes(1, "big") + value
    octets = value.encode("latin-1")
    if len(octets) >= size or b"\0" in octets:
        raise ValueError(f"{name} {value!r} has a NUL or more than {size - 1} octets")
    return octets + b"\0"


def decode(frame: bytes) -> Pdu:
    """The PDU of these bytes. Raises MalformedPdu."""
    _, command_id, command_status, sequence_number = HEADER.unpack_from(frame)
    try:
        known = CommandId(command_id)
    except ValueError:
        reason = f"no command_id of SMPP 3.4 that is spoken here: {command_id:#010x}"
        raise MalformedPdu(reason, CommandStatus.ESME_RINVCMDID, command_id, sequence_number) from None
    try:
        at = HEADER.size
        kind = _BODIES.get(known, Empty)
        body: Body = Empty()
        if not (known.is_response and at == len(frame)):  # a refusal has no body
            body, at = _decode_body(kind, frame, at)
        return Pdu(known, sequence_number, body, command_status, _decode_tlvs(frame, at))
    except MalformedPdu as error:
        raise MalformedPdu(error.reason, error.command_status, command_id, sequence_number) from None


def _decode_body(kind: type[Body], frame: bytes, at: int) -> tuple[Body, int]:
    values: dict[str, str | int | bytes] = {}
    for name, size in _LAYOUTS[kind]:
        if size > 0:
            end = frame.find(b"\0", at, at + size)
            if end < 0:
                raise _unreadable(name, f"does not end within {size} octets")
            values[name] = frame[at:end].decode("latin-1")
            at = end + 1
            continue
        if at >= len(frame):
            raise _unreadable(name, "is missing")
        values[name] = frame[at]
        at += 1
        if size == _OCTETS:
            if frame[at - 1] > MAX_SHORT_MESSAGE_BYTES:
                raise _unreadable(name, f"has {frame[at - 1]} octets; more than {MAX_SHORT_MESSAGE_BYTES} do not fit")
            end = at + frame[at - 1]
            if end > len(frame):
                raise _unreadable(name, f"should have {frame[at - 1]} octets and has {len(frame) - at}")
            values[name] = frame[at:end]
            at = end
    return msgspec.convert(values, kind), at


def _unreadable(name: str, reason: str) -> MalformedPdu:
    return MalformedPdu(f"{name} {reason}", _REFUSALS.get(name, CommandStatus.ESME_RINVCMDLEN))


def _decode_tlvs(frame: bytes, at: int) -> Mapping[int, bytes]:
    if at == len(frame):
        return _NO_TLVS
    tlvs = {}
    while at < len(frame):
        if at + _TLV.size > len(frame):
            raise MalformedPdu("an optional parameter is cut off", CommandStatus.ESME_RINVOPTPARSTREAM)
        tag, length = _TLV.unpack_from(frame, at)
        at += _TLV.size
        if at + length > len(frame):
            reason = f"optional parameter {tag:#06x} should have {length} octets and has {len(frame) - at}"
            raise MalformedPdu(reason, CommandStatus.ESME_RINVPARLEN)
        tlvs[tag] = frame[at : at + length]
        at += length
    return tlvs
