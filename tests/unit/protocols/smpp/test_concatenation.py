"""Long messages, taken apart and joined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.protocols.smpp import concatenation
from cluster.protocols.smpp.compose import destination_of, part_in, short_messages, source_of, trace_id_in
from cluster.protocols.smpp.concatenation import MISSING, PATIENCE_S, Joiner, MessageKey, Part, part_of
from cluster.protocols.smpp.constants import CommandId, DataCoding, Tag
from cluster.protocols.smpp.pdu import Pdu, Sm

PHONE, SHORT_CODE = "+393331234567", "4444"


def _pdus(words: str, reference: int = 7) -> list[Pdu]:
    made = short_messages(PHONE, SHORT_CODE, words, reference, trace_id="t1")
    return [Pdu(CommandId.SUBMIT_SM, 0, message.sm, 0, message.tlvs) for message in made]


def _add(joiner: Joiner, pdu: Pdu, now_s: float = 0.0) -> str | None:
    return joiner.add(PHONE, SHORT_CODE, pdu.body.data_coding, part_in(pdu), now_s)


@given(st.text(min_size=1, max_size=900), st.randoms(use_true_random=False))
def test_parts_in_any_order_and_twice(words: str, random: st.random_module) -> None:
    words = words.encode("utf-16-be", "replace").decode("utf-16-be")
    pdus = _pdus(words)
    order = pdus if len(pdus) == 1 else pdus * 2
    random.shuffle(order)
    joiner, joined = Joiner(), []
    for pdu in order:
        whole = _add(joiner, pdu)
        if whole is not None:
            joined.append(whole)
            joiner.done(MessageKey(PHONE, SHORT_CODE, 7, len(pdus)))
    assert joined == [words]


def test_the_header() -> None:  # 3GPP TS 23.040 section 9.2.3.24.1
    first, second = _pdus("a" * 200, reference=0x1FF)
    assert first.octets[:6] == bytes([5, 0, 3, 0xFF, 2, 1])
    assert second.octets[:6] == bytes([5, 0, 3, 0xFF, 2, 2])
    assert len(first.octets) == 159
    assert [pdu.tlvs[Tag.USER_MESSAGE_REFERENCE] for pdu in (first, second)] == [b"\x01\xff", b"\x02\x00"]
    assert {trace_id_in(pdu) for pdu in (first, second)} == {"t1"}


def test_numbers_keep_their_plus() -> None:
    (pdu,) = _pdus("hi")
    sm = pdu.body
    assert sm.source_addr == "393331234567"
    assert (source_of(sm), destination_of(sm)) == (PHONE, SHORT_CODE)


def test_a_16_bit_reference_is_read_too() -> None:
    assert part_of(bytes([6, 8, 4, 1, 2, 3, 2]) + b"x") == Part(0x102, 3, 2, b"x")


@given(st.binary(max_size=30))
def test_any_header_is_a_part_or_a_whole(octets: bytes) -> None:
    part = part_of(octets)
    assert 1 <= part.number <= part.total


def test_nonsense_in_a_header_makes_a_whole_message() -> None:
    assert part_of(bytes([5, 0, 3, 1, 2, 3]) + b"x") == Part(0, 1, 1, b"x")  # part 3 of 2
    assert part_of(bytes([5, 0, 3, 1, 0, 0]) + b"x") == Part(0, 1, 1, b"x")
    assert part_of(b"") == Part(0, 1, 1, b"")
    assert part_of(b"\xff\0") == Part(0, 1, 1, b"")


def test_what_is_missing_is_shown_when_the_time_is_over() -> None:
    first, _, third = _pdus("a" * 153 + "b" * 153 + "c")
    joiner = Joiner()
    assert _add(joiner, third, now_s=10.0) is None
    assert _add(joiner, first, now_s=20.0) is None
    assert list(joiner.expired(10.0 + PATIENCE_S - 1)) == []
    assert list(joiner.expired(10.0 + PATIENCE_S)) == [(MessageKey(PHONE, SHORT_CODE, 7, 3), "a" * 153 + MISSING + "c")]
    assert list(joiner.expired(10.0 + PATIENCE_S)) == []


def test_a_text_that_could_not_be_passed_on_is_joined_again() -> None:
    first, second = _pdus("a" * 200)
    joiner = Joiner()
    _add(joiner, first)
    assert _add(joiner, second) == "a" * 200
    assert _add(joiner, second) == "a" * 200  # nobody said that it is done
    joiner.done(MessageKey(PHONE, SHORT_CODE, 7, 2))
    assert _add(joiner, second) is None


def test_a_reference_serves_again_for_another_text() -> None:
    joiner = Joiner()
    for letter in "ab":
        first, second = _pdus(letter * 200)
        assert _add(joiner, first) is None
        assert _add(joiner, second) == letter * 200
        joiner.done(MessageKey(PHONE, SHORT_CODE, 7, 2))


def _sar(reference: int, total: int, number: int, octets: bytes = b"x") -> Pdu:
    """SMPP 3.4 sections 5.3.2.22 to 5.3.2.24."""
    tlvs = {
        int(Tag.SAR_MSG_REF_NUM): reference.to_bytes(2, "big"),
        int(Tag.SAR_TOTAL_SEGMENTS): bytes([total]),
        int(Tag.SAR_SEGMENT_SEQNUM): bytes([number]),
    }
    return Pdu(CommandId.DELIVER_SM, 1, Sm(short_message=octets), 0, tlvs)


def test_parts_are_numbered_by_the_sar_parameters_too() -> None:
    joiner = Joiner()
    assert _add(joiner, _sar(0x1234, 2, 2, b"world")) is None
    assert _add(joiner, _sar(0x1234, 2, 1, b"hello ")) == "hello world"


@pytest.mark.parametrize("nonsense", [_sar(1, 0, 0), _sar(1, 2, 3), _sar(1, 2, 0)])
def test_nonsense_in_the_sar_parameters_makes_a_whole_message(nonsense: Pdu) -> None:
    assert part_in(nonsense) == Part(0, 1, 1, b"x")


def test_parts_that_never_become_whole_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concatenation, "MAX_BYTES", 50_000)
    joiner, given_up = Joiner(), []
    for reference in range(10_000):
        part = Part(reference, 255, 1, b"x" * 140)
        assert joiner.add(PHONE, SHORT_CODE, DataCoding.DEFAULT, part, 0.0) is None
        if joiner.is_full:
            given_up += [key.reference for key, _ in joiner.expired(0.0)]
    assert not joiner.is_full
    assert given_up == [*range(len(given_up))]  # the oldest first, none twice
    left = len([*joiner.expired(PATIENCE_S)])
    assert len(given_up) + left == 10_000
    assert left <= 50_000 // 140


def test_joined_messages_are_remembered_in_few_bytes() -> None:
    joiner = Joiner()
    for reference in range(3 * concatenation.MAX_COMPLETE):
        for number in (1, 2):
            joiner.add(PHONE, SHORT_CODE, DataCoding.DEFAULT, Part(reference, 2, number, b"x" * 140), 0.0)
        joiner.done(MessageKey(PHONE, SHORT_CODE, reference, 2))
    kept = [octets for message in joiner._complete.values() for octets in message.parts.values()]
    assert len(kept) <= 2 * concatenation.MAX_COMPLETE
    assert sum(map(len, kept)) <= 16 * concatenation.MAX_COMPLETE
