"""Bytes and values of SMPP, against smpplib's own codec and against chance."""

from __future__ import annotations

from typing import Any

import pytest
import smpplib.consts
import smpplib.smpp
from hypothesis import given
from hypothesis import strategies as st

from cluster.protocols.smpp.constants import BINDS, CommandId, CommandStatus, Tag
from cluster.protocols.smpp.framing import MAX_PDU_BYTES, FramingError, PduDecoder, SequenceNumbers
from cluster.protocols.smpp.pdu import (
    HEADER,
    MAX_SEQUENCE_NUMBER,
    Bind,
    BindResp,
    Body,
    Empty,
    MalformedPdu,
    Pdu,
    Sm,
    SmResp,
    decode,
    encode,
)


def _text(most: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(max_codepoint=255, exclude_characters="\0"), max_size=most)


OCTET = st.integers(0, 255)
SMS = st.builds(
    Sm,
    service_type=_text(5),
    source_addr_ton=OCTET,
    source_addr=_text(20),
    destination_addr=_text(20),
    esm_class=OCTET,
    registered_delivery=OCTET,
    validity_period=_text(16),
    data_coding=OCTET,
    short_message=st.binary(max_size=254),
)
BODIES: dict[CommandId, st.SearchStrategy[Any]] = {
    **{
        bind: st.builds(Bind, _text(15), _text(8), _text(12), OCTET, OCTET, OCTET, _text(40))
        for bind in BINDS
    },
    **{bind.response: st.builds(BindResp, _text(15)) for bind in BINDS},
    CommandId.SUBMIT_SM: SMS,
    CommandId.DELIVER_SM: SMS,
    CommandId.SUBMIT_SM_RESP: st.builds(SmResp, _text(64)),
    CommandId.DELIVER_SM_RESP: st.builds(SmResp, _text(64)),
}  # fmt: skip


@st.composite
def pdus(draw: st.DrawFn) -> Pdu:
    command_id = draw(st.sampled_from(list(CommandId)))
    body: Body = draw(BODIES.get(command_id, st.just(Empty())))
    tlvs = draw(st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=300), max_size=3))
    status = draw(st.integers(0, 0xFFFFFFFF))
    return Pdu(command_id, draw(st.integers(0, MAX_SEQUENCE_NUMBER)), body, status, tlvs)


@given(st.lists(pdus(), max_size=4), st.data())
def test_what_is_encoded_is_decoded_however_it_is_cut(sent: list[Pdu], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    decoder = PduDecoder()
    received = [
        pdu
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for pdu in decoder.feed(stream[start:end])
    ]
    assert received == sent


def test_one_byte_at_a_time() -> None:
    sent = Pdu(CommandId.SUBMIT_SM, 7, Sm(source_addr="4444", short_message=b"hi"), 0, {Tag.MESSAGE_STATE: b"\2"})
    decoder = PduDecoder()
    received = [list(decoder.feed(bytes([octet]))) for octet in encode(sent)]
    assert received[-1] == [sent]
    assert not any(received[:-1])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_pdu_or_a_typed_error(data: bytes) -> None:
    try:
        for pdu in PduDecoder().feed(data):
            assert isinstance(pdu, Pdu | MalformedPdu)
    except FramingError:
        pass


@given(pdus(), st.data())
def test_a_damaged_pdu_is_a_pdu_or_a_typed_error(pdu: Pdu, data: st.DataObject) -> None:
    frame = bytearray(encode(pdu))
    frame[data.draw(st.integers(16, max(len(frame) - 1, 16))) :] = data.draw(st.binary(max_size=30))
    frame[:4] = len(frame).to_bytes(4, "big")
    (found,) = PduDecoder().feed(bytes(frame))
    if isinstance(found, MalformedPdu):
        assert found.sequence_number == pdu.sequence_number  # so that the peer knows which one is meant
        assert found.command_status
    else:
        assert found.command_id == pdu.command_id


@pytest.mark.parametrize("length", [0, 15, MAX_PDU_BYTES + 1, 0xFFFFFFFF])
def test_a_length_that_cannot_be_right_ends_the_session(length: int) -> None:
    with pytest.raises(FramingError, match=str(length)):
        list(PduDecoder().feed(HEADER.pack(length, CommandId.ENQUIRE_LINK, 0, 1)))


def _frame(command_id: int, body: bytes) -> bytes:
    return HEADER.pack(16 + len(body), command_id, 0, 9) + body


@pytest.mark.parametrize(
    ("command_id", "body", "status"),
    [
        (0x00000099, b"", CommandStatus.ESME_RINVCMDID),
        (CommandId.BIND_TRANSCEIVER, b"a-system-id-without-end", CommandStatus.ESME_RINVSYSID),
        (CommandId.BIND_TRANSCEIVER, b"id\0password-too-long\0", CommandStatus.ESME_RINVPASWD),
        (CommandId.SUBMIT_SM, b"\0\0\0" + b"1" * 21 + b"\0", CommandStatus.ESME_RINVSRCADR),
        (CommandId.SUBMIT_SM, b"", CommandStatus.ESME_RINVSERTYP),
        (CommandId.SUBMIT_SM, bytes(16) + b"\x09short", CommandStatus.ESME_RINVMSGLEN),
        (CommandId.SUBMIT_SM, bytes(17) + b"\x04\x24", CommandStatus.ESME_RINVOPTPARSTREAM),
        (CommandId.SUBMIT_SM, bytes(17) + b"\x04\x24\0\x05abc", CommandStatus.ESME_RINVPARLEN),
    ],
)
def test_the_peer_is_told_what_is_wrong(command_id: int, body: bytes, status: CommandStatus) -> None:
    with pytest.raises(MalformedPdu) as caught:
        decode(_frame(command_id, body))
    assert caught.value.command_status == status
    assert (caught.value.command_id, caught.value.sequence_number) == (command_id, 9)


def test_a_refusal_has_no_body() -> None:  # SMPP 3.4 section 4.4.2
    request = Pdu(CommandId.SUBMIT_SM, 3, Sm())
    refusal = encode(request.response(CommandStatus.ESME_RTHROTTLED))
    assert len(refusal) == 16
    assert decode(refusal).command_status == CommandStatus.ESME_RTHROTTLED


@pytest.mark.parametrize(
    "body", [Sm(short_message=bytes(255)), Sm(source_addr="1" * 21), Sm(source_addr="a\0b"), Bind("€"), Bind("a" * 16)]
)  # fmt: skip
def test_what_the_protocol_cannot_carry_is_refused_before_it_is_sent(body: Body) -> None:
    command_id = CommandId.BIND_TRANSCEIVER if isinstance(body, Bind) else CommandId.SUBMIT_SM
    with pytest.raises(ValueError, match=r".+"):
        encode(Pdu(command_id, 1, body))


def test_sequence_numbers_begin_anew_behind_the_largest() -> None:  # section 5.1.4
    numbers = SequenceNumbers()
    numbers._last = MAX_SEQUENCE_NUMBER - 1
    assert [numbers.next(), numbers.next(), numbers.next()] == [MAX_SEQUENCE_NUMBER, 1, 2]


# --- against smpplib


class _Sequence:
    sequence = 5

    def next_sequence(self) -> int:
        return self.sequence


def _theirs(name: str, **fields: Any) -> bytes:
    pdu = smpplib.smpp.make_pdu(name, client=_Sequence(), **fields)
    return bytes(pdu.generate())


def test_smpplib_writes_what_we_read() -> None:
    frame = _theirs(
        "submit_sm", source_addr_ton=1, source_addr_npi=1, source_addr="393331234567", dest_addr_ton=0, dest_addr_npi=1,
        destination_addr="4444", esm_class=0x40, data_coding=8, registered_delivery=True, short_message=b"\0h\0i",
        user_message_reference=513,
    )  # fmt: skip
    assert decode(frame) == Pdu(
        CommandId.SUBMIT_SM,
        5,
        Sm(
            source_addr_ton=1, source_addr_npi=1, source_addr="393331234567", dest_addr_npi=1, destination_addr="4444",
            esm_class=0x40, data_coding=8, registered_delivery=1, short_message=b"\0h\0i",
        ),
        0,
        {Tag.USER_MESSAGE_REFERENCE: (513).to_bytes(2, "big")},
    )  # fmt: skip
    login = _theirs("bind_transceiver", system_id="g1", password="secret", system_type="", interface_version=0x34)
    assert decode(login) == Pdu(CommandId.BIND_TRANSCEIVER, 5, Bind("g1", "secret"))


def test_smpplib_reads_what_we_write() -> None:
    sm = Sm(source_addr_ton=1, source_addr_npi=1, source_addr="393331234567", destination_addr="4444", esm_class=4,
            data_coding=3, short_message=b"id:1 stat:DELIVRD")  # fmt: skip
    tlvs = {Tag.RECEIPTED_MESSAGE_ID: b"1\0", Tag.MESSAGE_STATE: b"\2"}
    theirs = smpplib.smpp.parse_pdu(encode(Pdu(CommandId.DELIVER_SM, 8, sm, 0, tlvs)), client=_Sequence())
    assert theirs.command == "deliver_sm"
    assert theirs.sequence == 8
    assert theirs.source_addr == b"393331234567"
    assert theirs.destination_addr == b"4444"
    assert theirs.short_message == b"id:1 stat:DELIVRD"
    assert theirs.receipted_message_id == b"1"
    assert theirs.message_state == smpplib.consts.SMPP_MESSAGE_STATE_DELIVERED
