"""Stream management, both counts (XEP-0198)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StreamCondition, StreamError
from cluster.xmpp.namespaces import SM, STANZA_ERRORS
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams import sm
from cluster.xmpp.streams.sm import COUNTS, REQUEST, StreamManagement, Unacknowledged


def message(id: str) -> Stanza:
    return make("message", id=id)


def send(management: StreamManagement, *ids: str, at_utc_s: float = 0.0) -> bytes:
    return management.sent([Unacknowledged(message(id), at_utc_s) for id in ids])


def left(management: StreamManagement) -> list[str | None]:
    return [each.stanza.id for each in management.take_unacknowledged()]


# --- when a server asks (section 4: whenever it chooses)


def show(management: StreamManagement, count: int = 1) -> bytes:
    return management.sent([Unacknowledged(make("presence"), 0.0) for _ in range(count)])


def test_a_patient_one_asks_at_once_for_a_message() -> None:
    management = StreamManagement(patience=2)
    assert show(management) == b""
    assert send(management, "1") == REQUEST
    assert management.acknowledged(2) == b""
    assert send(management, "2") == REQUEST


def test_but_not_for_a_little_presence() -> None:
    management = StreamManagement(patience=2)
    assert [show(management) for _ in range(4)] == [b"", b"", REQUEST, b""]
    assert management.acknowledged(3) == b"", "one presence has come since then"
    assert [show(management) for _ in range(2)] == [b"", REQUEST]
    assert management.acknowledged(6) == b""
    assert show(management, 3) == REQUEST


def test_a_message_that_came_since_it_asked_is_asked_for() -> None:
    management = StreamManagement(patience=2)
    assert send(management, "1") == REQUEST
    assert show(management) + send(management, "2") == b""
    assert management.acknowledged(1) == REQUEST


def test_presence_that_waits_is_sent_again_on_a_resumed_stream() -> None:
    management = StreamManagement("id", 300, patience=2)
    show(management)
    assert management.resend() == make("presence").raw + REQUEST


# --- what the peer sends (section 4)


def test_h_begins_at_zero_and_counts_what_is_handled() -> None:
    management = StreamManagement()
    assert management.ack() == f"<a xmlns='{SM}' h='0'/>".encode()
    for _ in range(3):
        assert not management.received(None)
    assert management.ack() == f"<a xmlns='{SM}' h='3'/>".encode()


def test_behind_the_greatest_h_comes_zero() -> None:
    management = StreamManagement()
    management.handled = COUNTS - 1
    management.received(None)
    assert management.handled == 0
    management.handled = COUNTS - 1
    management.received("write")
    management.received("write")
    management.settled("write")
    assert management.handled == 1


def test_a_stanza_that_is_not_safe_holds_back_those_behind_it() -> None:
    management = StreamManagement()
    management.received(None)
    assert management.received("write")
    management.received(None)
    assert management.handled == 1
    management.settled("write")
    assert management.handled == 3


def test_one_write_for_many_stanzas_is_waited_for_once() -> None:
    management = StreamManagement()
    assert [management.received("write") for _ in range(3)] == [True, False, False]
    assert management.waits_for == ["write"]
    management.settled("write")
    assert (management.handled, management.waits_for) == (3, [])


def test_what_settles_early_waits_for_what_came_before() -> None:
    management = StreamManagement()
    for write in ("a", "b", "a"):
        management.received(write)
    management.settled("b")
    assert management.handled == 0
    assert management.waits_for == ["a", "b"]
    management.settled("a")
    assert management.handled == 3


def test_a_request_is_answered_soon_and_again_when_all_is_safe() -> None:
    management = StreamManagement()
    management.received("a")
    management.received("b")
    assert b"h='0'" in management.ack()
    management.settled("a")
    assert management.tell(management.handled) == b""
    management.settled("b")
    assert b"h='2'" in management.tell(management.handled)
    management.received("c")
    management.settled("c")
    assert management.tell(management.handled) == b""  # nobody asked


def test_the_peer_is_told_what_is_noted_and_not_what_is_handled() -> None:
    management = StreamManagement("id", 300)
    management.received(None)
    management.received(None)
    management.asked()
    assert b"h='1'" in management.tell(1)
    assert b"h='1'" in sm.resumed(management)
    assert b"h='2'" in management.tell(2)


def test_whoever_knows_may_count_what_has_not_settled() -> None:
    management = StreamManagement("id", 300)
    for write in ("a", "b", "c"):
        management.received(write)
    management.settle(lambda write: write in ("a", "c"))
    assert (management.handled, management.waits_for) == (1, ["b", "c"])


@given(st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=30), st.permutations(["a", "b", "c"]))
def test_in_the_end_all_is_handled_and_never_too_much(stanzas: list[str | None], order: list[str]) -> None:
    management = StreamManagement()
    for waits_for in stanzas:
        management.received(waits_for)
    done: set[str | None] = {None}
    for write in ["", *order]:
        management.settled(write)
        done.add(write)
        safe = next((place for place, waits_for in enumerate(stanzas) if waits_for not in done), len(stanzas))
        assert management.handled == safe
    assert management.handled == len(stanzas)


# --- what is sent to the peer


def test_it_is_asked_for_behind_the_first_stanzas_and_not_again_before_it_answers() -> None:
    management = StreamManagement()
    assert send(management, "1", "2") == REQUEST
    assert send(management, "3") == b""
    assert management.acknowledged(2) == REQUEST  # for the third
    assert management.acknowledged(3) == b""
    assert send(management, "4") == REQUEST
    assert left(management) == ["4"]


def test_a_peer_that_is_behind_is_asked_with_the_next_stanza() -> None:
    management = StreamManagement()
    send(management, "1", "2")
    assert management.acknowledged(1) == b""  # else the two would play ping-pong
    assert send(management, "3") == REQUEST


def test_an_ack_may_come_twice_or_unasked() -> None:
    management = StreamManagement()
    send(management, "1", "2", "3")
    management.acknowledged(2)
    management.acknowledged(2)
    assert left(management) == ["3"]


def test_the_count_of_acknowledged_stanzas_wraps_around() -> None:
    management = StreamManagement(acknowledged=COUNTS - 2)
    send(management, "1", "2", "3", "4")
    management.acknowledged(1)
    assert left(management) == ["4"]


@pytest.mark.parametrize("h", [4, 5, COUNTS - 1])
def test_more_than_was_sent_cannot_be_acknowledged(h: int) -> None:
    management = StreamManagement()
    send(management, "1", "2", "3")
    with pytest.raises(StreamError) as raised:
        management.acknowledged(h)
    assert raised.value.condition is StreamCondition.UNDEFINED_CONDITION
    detail = raised.value.detail
    assert detail is not None
    assert detail.tag == f"{{{SM}}}handled-count-too-high"
    assert detail.attrib == {"h": str(h), "send-count": "3"}
    assert left(management) == ["1", "2", "3"]


def test_less_than_before_cannot_be_acknowledged() -> None:
    management = StreamManagement()
    send(management, "1", "2", "3")
    management.acknowledged(2)
    with pytest.raises(StreamError):
        management.acknowledged(1)


def test_what_is_not_acknowledged_is_sent_again_in_order() -> None:
    management = StreamManagement("id", 300)
    send(management, "1", "2", "3")
    management.acknowledged(1)
    assert management.resend() == message("2").raw + message("3").raw + REQUEST
    assert management.acknowledged(3) == b""
    assert management.resend() == b""


def test_what_is_not_written_cannot_be_acknowledged_nor_sent_again() -> None:
    management = StreamManagement("id", 300)
    send(management, "1")
    management.number([Unacknowledged(message("2"), 0.0), Unacknowledged(message("3"), 0.0)])
    assert management.sent_count == 3
    with pytest.raises(StreamError):
        management.acknowledged(2)
    assert management.resend() == message("1").raw + REQUEST
    assert management.acknowledged(1) == b""
    assert management.written(2) == REQUEST
    assert management.acknowledged(3) == b""
    management.number([Unacknowledged(message("4"), 0.0)])
    assert management.write_all() == message("4").raw
    assert management.write_all() == b""
    assert left(management) == ["4"]


def test_a_stream_goes_on_where_an_earlier_process_left_it() -> None:
    management = StreamManagement("id", 300, handled=7, acknowledged=5)
    send(management, "6", "7")
    assert b"h='7'" in sm.resumed(management)
    management.acknowledged(6)
    assert left(management) == ["7"]


def test_its_size_is_known() -> None:
    management = StreamManagement()
    send(management, "1", "2")
    assert management.size_bytes == 2 * len(message("1").raw)
    management.acknowledged(1)
    assert management.size_bytes == len(message("2").raw)
    management.take_unacknowledged()
    assert management.size_bytes == 0


def test_the_time_of_the_first_sending_is_kept() -> None:
    management = StreamManagement("id", 300)
    send(management, "1", at_utc_s=1.5)
    management.resend()
    assert management.take_unacknowledged() == [Unacknowledged(message("1"), 1.5)]
    assert management.take_unacknowledged() == []


# --- the elements


@pytest.mark.parametrize("text", [None, "", "-1", "1.0", "x", "٣", str(COUNTS), " 1"])
def test_what_no_count_is(text: str | None) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        sm.read_count(text)


def test_counts() -> None:
    assert [sm.read_count(text) for text in ("0", "7", str(COUNTS - 1))] == [0, 7, COUNTS - 1]


def test_elements() -> None:
    assert xml.parse(sm.enabled(StreamManagement())).attrib == {}
    resumable = StreamManagement("<id>", 90.0)
    assert xml.parse(sm.enabled(resumable)).attrib == {"id": "<id>", "resume": "true", "max": "90"}
    resumable.received(None)
    resumable.tell(1)
    assert xml.parse(sm.resumed(resumable)).attrib == {"previd": "<id>", "h": "1"}
    assert xml.parse(sm.failed(Condition.ITEM_NOT_FOUND, 7)).get("h") == "7"
    failed = xml.parse(sm.failed(Condition.ITEM_NOT_FOUND))
    assert failed.get("h") is None
    assert failed.tag == f"{{{SM}}}failed"
    assert [child.tag for child in failed] == [f"{{{STANZA_ERRORS}}}item-not-found"]
