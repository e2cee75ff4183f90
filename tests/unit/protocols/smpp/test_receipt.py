"""Delivery receipts and times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.protocols.smpp.constants import CommandId, MessageState, Tag
from cluster.protocols.smpp.pdu import Pdu, Sm
from cluster.protocols.smpp.receipt import Receipt, is_receipt, receipt_of, receipt_text
from cluster.protocols.smpp.times import seconds_from

NOON = datetime(2023, 11, 14, 12, 0, tzinfo=UTC)


def _deliver(octets: bytes, tlvs: dict[int, bytes] | None = None) -> Pdu:
    return Pdu(CommandId.DELIVER_SM, 1, Sm(esm_class=4, short_message=octets), 0, tlvs or {})


def test_the_text_form() -> None:  # SMPP 3.4 appendix B
    words = receipt_text(
        Receipt("0123abcd", MessageState.UNDELIVERABLE, "001"), NOON, NOON, b"But soft! What light through"
    )
    assert words == (
        b"id:0123abcd sub:001 dlvrd:000 submit date:2311141200 done date:2311141200 stat:UNDELIV err:001 "
        b"text:But soft! What light"
    )


@pytest.mark.parametrize("state", list(MessageState))
def test_a_receipt_comes_back_from_its_text(state: MessageState) -> None:
    receipt = Receipt("42", state, "007")
    assert receipt_of(_deliver(receipt_text(receipt, NOON, NOON, b"\x1b\xff"))) == receipt


@pytest.mark.parametrize(
    ("octets", "receipt"),
    [
        (b"id:9 sub:001 dlvrd:001 stat:DELIVRD err:000 text:", Receipt("9", MessageState.DELIVERED)),
        (b"id:9 stat:EXPIRED", Receipt("9", MessageState.EXPIRED)),
        (b"ID:9 SUB:001 STAT:delivrd ERR:12 TEXT:", Receipt("9", MessageState.DELIVERED, "12")),
        (b"id:9 stat:DELIVERED err:000", Receipt("9", MessageState.DELIVERED)),
        (b"id:9 stat:UNDELIVERABLE err:001 text:x", Receipt("9", MessageState.UNDELIVERABLE, "001")),
        (b"id:9 sub:001 stat:REJECTED", Receipt("9", MessageState.REJECTED)),
        (b"id: 9 sub:001 stat: ACCEPTED", Receipt("9", MessageState.ACCEPTED)),
    ],
)
def test_what_other_message_centres_write(octets: bytes, receipt: Receipt) -> None:
    assert receipt_of(_deliver(octets)) == receipt


def test_optional_parameters_count_more_than_the_text() -> None:
    tlvs = {int(Tag.RECEIPTED_MESSAGE_ID): b"real\0", int(Tag.MESSAGE_STATE): b"\x05"}
    expected = Receipt("real", MessageState.UNDELIVERABLE)
    assert receipt_of(_deliver(b"id:9 stat:DELIVRD err:000", tlvs)) == expected
    assert receipt_of(_deliver(b"whatever", tlvs)) == expected


@given(st.binary(max_size=254), st.dictionaries(st.sampled_from([0x001E, 0x0427]), st.binary(max_size=9)))
def test_any_text_is_a_receipt_or_none(octets: bytes, tlvs: dict[int, bytes]) -> None:
    receipt_of(_deliver(octets, tlvs))


def test_what_is_a_receipt() -> None:
    assert is_receipt(Sm(esm_class=0x04))
    assert is_receipt(Sm(esm_class=0x44))
    assert not is_receipt(Sm(esm_class=0x40))
    assert not is_receipt(Sm(esm_class=0x08))


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("000000001500000R", 15 * 60),  # section 7.1.1: relative
        ("000001000000000R", 86_400),
        ("231114120130000+", 90),
        ("231114130130004+", 90),  # one hour east of Greenwich
        ("231114115900000-", -60),
    ],
)
def test_times(time: str, seconds: float) -> None:
    assert seconds_from(NOON, time) == seconds


@pytest.mark.parametrize(
    "time",
    [
        "", "tomorrow", "231399000000000+", "23111412013000+", "٢31114120130000+",
        "231114120130049+",  # section 7.1.1: 48 quarters at the most
        "000000240000000R", "000000006000000R", "000000000060000R", "001300000000000R", "000032000000000R",
        "000000001500100R", "000000001500004R",
    ],
)  # fmt: skip
def test_what_is_no_time(time: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        seconds_from(NOON, time)
