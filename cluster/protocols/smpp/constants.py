"""The numbers of SMPP 3.4 that the gateway and the lab SMSC use, by the protocol's own names."""

from __future__ import annotations

from enum import IntEnum


class CommandId(IntEnum):
    """Section 5.1.2.1. A response is its request with the highest bit set."""

    GENERIC_NACK = 0x80000000
    BIND_RECEIVER = 0x00000001
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER = 0x00000002
    BIND_TRANSMITTER_RESP = 0x80000002
    SUBMIT_SM = 0x00000004
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM = 0x00000005
    DELIVER_SM_RESP = 0x80000005
    UNBIND = 0x00000006
    UNBIND_RESP = 0x80000006
    BIND_TRANSCEIVER = 0x00000009
    BIND_TRANSCEIVER_RESP = 0x80000009
    ENQUIRE_LINK = 0x00000015
    ENQUIRE_LINK_RESP = 0x80000015

    @property
    def is_response(self) -> bool:
        """Whether this is a response, including generic_nack."""
        return bool(self & RESPONSE_BIT)

    @property
    def response(self) -> CommandId:
        """The id of the response to this request."""
        return CommandId(self | RESPONSE_BIT)


RESPONSE_BIT = 0x80000000
BINDS = (CommandId.BIND_TRANSCEIVER, CommandId.BIND_TRANSMITTER, CommandId.BIND_RECEIVER)
INTERFACE_VERSION = 0x34


class CommandStatus(IntEnum):
    """Section 5.1.3: the values that are sent or acted on here; a peer may send any number."""

    ESME_ROK = 0x00
    ESME_RINVMSGLEN = 0x01
    ESME_RINVCMDLEN = 0x02
    ESME_RINVCMDID = 0x03
    ESME_RINVBNDSTS = 0x04
    ESME_RALYBND = 0x05
    ESME_RSYSERR = 0x08
    ESME_RINVSRCADR = 0x0A
    ESME_RINVDSTADR = 0x0B
    ESME_RBINDFAIL = 0x0D
    ESME_RINVPASWD = 0x0E
    ESME_RINVSYSID = 0x0F
    ESME_RMSGQFUL = 0x14
    ESME_RINVSERTYP = 0x15
    ESME_RSUBMITFAIL = 0x45
    ESME_RINVSYSTYP = 0x53
    ESME_RTHROTTLED = 0x58
    ESME_RINVSCHED = 0x61
    ESME_RINVEXPIRY = 0x62
    ESME_RX_T_APPN = 0x64
    ESME_RX_P_APPN = 0x65
    ESME_RX_R_APPN = 0x66
    ESME_RINVOPTPARSTREAM = 0xC0
    ESME_RINVPARLEN = 0xC2
    ESME_RUNKNOWNERR = 0xFF


def status_name(command_status: int) -> str:
    """`ESME_RTHROTTLED`, or the number of one that is not listed here."""
    try:
        return CommandStatus(command_status).name
    except ValueError:
        return f"command_status {command_status:#010x}"


class Tag(IntEnum):
    """Section 5.3.2: optional parameters."""

    RECEIPTED_MESSAGE_ID = 0x001E
    USER_MESSAGE_REFERENCE = 0x0204
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427
    TRACE_ID = 0x1400
    """In the range for vendors (0x1400 to 0x3FFF): the lab's trace id, as ASCII."""


class MessageState(IntEnum):
    """Section 5.2.28."""

    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8

    @property
    def is_final(self) -> bool:
        """Whether this is the last state of a message."""
        return self not in (MessageState.ENROUTE, MessageState.ACCEPTED)


class Ton(IntEnum):
    """Type of number (section 5.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    ALPHANUMERIC = 5


class Npi(IntEnum):
    """Numbering plan (section 5.2.6)."""

    UNKNOWN = 0
    ISDN = 1


class DataCoding(IntEnum):
    """Section 5.2.19."""

    DEFAULT = 0
    ASCII = 1
    LATIN_1 = 3
    CYRILLIC = 6
    HEBREW = 7
    UCS_2 = 8
    ISO_2022_JP = 10
    KS_C_5601 = 14


ESM_CLASS_RECEIPT = 0x04
"""Section 5.2.12: the short message is a delivery receipt."""
ESM_CLASS_INTERMEDIATE = 0x20
"""The same section: an intermediate notification, about a state that is not the last."""
ESM_CLASS_TYPE = 0x3C
"""The bits for the type of message; none set: an ordinary one."""
ESM_CLASS_UDHI = 0x40
"""The short message begins with a user data header (3GPP TS 23.040 section 9.2.3.24)."""

RECEIPT_ALWAYS = 0x01
"""registered_delivery (section 5.2.17): a receipt when the outcome is known."""
RECEIPT_OF_FAILURE = 0x02
RECEIPT_BITS = 0x03
