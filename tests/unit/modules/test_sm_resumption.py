"""Streams that are resumed (XEP-0198 section 5), over whole streams."""

from __future__ import annotations

import pytest

from cluster.server.sessions.binder import MAX_SESSIONS
from cluster.streams.outbox import MAX_UNSENT_BYTES
from cluster.xmpp import element as xml
from cluster.xmpp.errors import StreamCondition
from cluster.xmpp.namespaces import SM, STREAMS
from tests.client import child
from tests.network import MONTAGUE, Network
from tests.phone import managed, resume
from tests.unit.modules.managed_streams import CHAMBER, JULIET, ROMEO, TIMEOUT_S, R, chat, ended_with, failed


def test_a_stream_is_resumed(network: Network) -> None:
    network.friends("juliet@montague.lit", "romeo@montague.lit")
    juliet = managed(network, JULIET)
    romeo = network.online(ROMEO)
    id = juliet.sm_id
    network.say(romeo, chat(JULIET, "1") + chat(JULIET, "2"))
    handled = juliet.handled
    network.say(juliet, chat(ROMEO, "from juliet"))
    network.forget()
    juliet.drop()
    network.settle()
    network.say(romeo, chat(JULIET, "3") + chat("juliet@montague.lit", "4"))
    assert romeo.take() == []  # her presence stays, and nothing comes back

    again = resume(network, JULIET, id, handled - 1)
    resumed = again.got[0]
    assert (resumed.tag, dict(resumed.items())) == (f"{{{SM}}}resumed", {"previd": id, "h": "1"})
    assert again.take() == [f"message/chat {ROMEO}: {text}" for text in "234"]

    network.say(romeo, chat(JULIET, "5"))
    assert again.take() == [f"message/chat {ROMEO}: 5"]
    network.say(again, chat(ROMEO, "still her") + R)
    assert romeo.take() == [f"message/chat {JULIET}: still her"]
    assert again.last("a").get("h") == "2"  # counted on
    network.say(again, f"<a xmlns='{SM}' h='{handled + 3}'/>")
    assert not again.is_closed


def test_a_stream_is_resumed_again_and_again(network: Network) -> None:
    juliet = managed(network, JULIET)
    romeo = network.online(ROMEO)
    id = juliet.sm_id
    juliet.drop()
    for number in range(1, 4):
        network.say(romeo, chat(JULIET, str(number)))
        network.advance(TIMEOUT_S - 1)  # the time begins anew with each break
        juliet = resume(network, JULIET, id, number - 1)
        assert juliet.take() == [f"message/chat {ROMEO}: {number}"]
        juliet.drop()
    network.advance(TIMEOUT_S)
    assert "item-not-found" in xml.serialize(resume(network, JULIET, id, 3).last("failed")).decode()


def test_after_a_goodbye_nothing_is_resumed(network: Network) -> None:
    juliet = managed(network, JULIET)
    id = juliet.sm_id
    network.say(juliet, "</stream:stream>")
    assert failed(resume(network, JULIET, id, 0).last("failed")) == "item-not-found"


def test_after_the_time_is_up_the_session_is_over(network: Network) -> None:
    network.friends("juliet@montague.lit", "romeo@montague.lit")
    juliet, romeo = managed(network, JULIET), network.online(ROMEO)
    id = juliet.sm_id
    juliet.drop()
    network.say(romeo, chat(JULIET, "kept"))
    network.advance(TIMEOUT_S - 1)
    assert romeo.take() == []
    network.advance(1)
    assert romeo.take() == [f"presence/unavailable {JULIET}"]
    late = resume(network, JULIET, id, 0)
    assert failed(late.last("failed")) == "item-not-found"
    assert late.last("failed").get("h") == "0"  # what was handled before the time was up
    # section 5: it may bind a resource on this very stream
    network.say(late, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq><presence/>")
    assert f"message/chat {ROMEO}: kept" in late.take()


def test_a_shorter_time_that_the_client_asked_for(network: Network) -> None:
    juliet = managed(network, JULIET, enable="resume='true' max='10'")
    id = juliet.sm_id
    juliet.drop()
    network.advance(10)
    assert failed(resume(network, JULIET, id, 0).last("failed")) == "item-not-found"


@pytest.mark.parametrize("previd", ["", "wrong"])
def test_an_unknown_id(network: Network, previd: str) -> None:
    managed(network, JULIET, enable="").drop()
    assert failed(resume(network, JULIET, previd, 0).last("failed")) == "item-not-found"


def test_the_id_of_somebody_else(network: Network) -> None:  # section 9
    juliet = managed(network, JULIET)
    id = juliet.sm_id
    juliet.drop()
    assert failed(resume(network, ROMEO, id, 0).last("failed")) == "item-not-found"
    resume(network, JULIET, id, 0).last("resumed")
    network.say(resume(network, JULIET, id, 0), "</stream:stream>")
    assert resume(network, JULIET, id, 0).last("failed").get("h") == "0"
    assert resume(network, ROMEO, id, 0).last("failed").get("h") is None


def test_a_resume_without_a_count(network: Network) -> None:
    assert failed(resume(network, JULIET, "x", "many").last("failed")) == "bad-request"


def test_a_resume_that_acknowledges_too_much(network: Network) -> None:
    juliet = managed(network, JULIET)
    id = juliet.sm_id
    juliet.drop()
    network.advance(TIMEOUT_S - 1)
    wrong = resume(network, JULIET, id, 7)
    assert ended_with(wrong) == StreamCondition.UNDEFINED_CONDITION
    assert child(wrong.last("error", STREAMS), "handled-count-too-high", SM).attrib == {"h": "7", "send-count": "0"}
    resume(network, JULIET, id, 0).last("resumed")  # the one who asked wrongly has not ended the session


def test_a_resume_that_acknowledges_too_much_leaves_the_session_its_stream(network: Network) -> None:
    """Section 6 ends the stream on which that was said. The other one goes on, and so does its time."""
    juliet, romeo = managed(network, JULIET), network.online(ROMEO)
    juliet.take()
    wrong = resume(network, JULIET, juliet.sm_id, 7)
    assert ended_with(wrong) == StreamCondition.UNDEFINED_CONDITION
    assert wrong.is_closed
    network.say(romeo, chat(JULIET, "hi"))
    assert juliet.take() == [f"message/chat {ROMEO}: hi"]
    network.say(juliet, chat(ROMEO, "ho") + f"<a xmlns='{SM}' h='{juliet.handled}'/>")
    assert romeo.take() == [f"message/chat {JULIET}: ho"]
    assert not juliet.is_closed
    id, handled = juliet.sm_id, juliet.handled
    juliet.drop()
    network.advance(TIMEOUT_S - 1)
    ended_with(resume(network, JULIET, id, 7))
    network.advance(1)  # which has not begun anew
    assert failed(resume(network, JULIET, id, handled).last("failed")) == "item-not-found"


def test_a_resume_behind_the_resource_binding(network: Network) -> None:
    juliet = managed(network, JULIET)
    network.say(juliet, f"<resume xmlns='{SM}' previd='{juliet.sm_id}' h='0'/>")
    assert failed(juliet.last("failed")) == "unexpected-request"


def test_a_stream_that_is_still_open_is_closed(network: Network) -> None:
    juliet, romeo = managed(network, JULIET), network.online(ROMEO)
    again = resume(network, JULIET, juliet.sm_id, 0)
    again.last("resumed")
    assert ended_with(juliet) == StreamCondition.CONFLICT
    assert juliet.is_closed
    network.say(romeo, chat(JULIET, "hi"))
    assert again.take() == [f"message/chat {ROMEO}: hi"]


def test_the_same_resource_on_a_new_stream_ends_the_one_that_waits(network: Network) -> None:
    juliet, romeo = managed(network, JULIET), network.online(ROMEO)
    id = juliet.sm_id
    juliet.drop()
    network.say(romeo, chat("juliet@montague.lit", "kept"))
    again = network.client(JULIET)
    network.say(again, "<presence/>")
    assert f"message/chat {ROMEO}: kept" in again.take()
    assert failed(resume(network, JULIET, id, 0).last("failed")) == "item-not-found"
    network.advance(TIMEOUT_S)
    network.say(romeo, chat(JULIET, "hi"))
    assert again.take() == [f"message/chat {ROMEO}: hi"]


def test_what_waits_is_bounded(network: Network) -> None:
    network.friends("juliet@montague.lit", "romeo@montague.lit")
    juliet, romeo = managed(network, JULIET), network.online(ROMEO)
    juliet.drop()
    body = "x" * 200_000
    for _ in range(MAX_UNSENT_BYTES // len(body) + 1):
        network.say(romeo, chat("juliet@montague.lit", body))
    assert f"presence/unavailable {JULIET}" in romeo.take()


def test_what_a_slow_reader_did_not_get_is_resumed_too(network: Network) -> None:
    juliet, romeo = managed(network, JULIET), network.online(ROMEO)
    id = juliet.sm_id
    handled = juliet.handled
    juliet.reading = False
    for number in range(5):
        network.say(romeo, chat(JULIET, f"{number}" + "x" * 100_000))
    juliet.drop()
    again = resume(network, JULIET, id, handled)
    assert [line[len(f"message/chat {ROMEO}: ")] for line in again.take()] == ["0", "1", "2", "3", "4"]


def test_a_removed_account_waits_no_more(network: Network) -> None:
    juliet = managed(network, JULIET)
    id = juliet.sm_id
    juliet.drop()
    domain = network.servers[MONTAGUE].domain
    domain.context.remove_account("juliet", lambda: None)
    network.settle()
    assert failed(resume(network, JULIET, id, 0).last("failed")) == "item-not-found"


def test_what_two_resources_got_is_safe_with_the_one_that_is_left(network: Network) -> None:
    balcony, chamber, romeo = managed(network, JULIET), managed(network, CHAMBER), network.online(ROMEO)
    network.say(romeo, chat("juliet@montague.lit", "to both"))
    chamber.got.clear()
    balcony.drop()
    network.advance(TIMEOUT_S)
    assert not [line for line in chamber.take() if line.startswith("message")]
    chamber.drop()  # which did not acknowledge it either
    network.advance(TIMEOUT_S)
    again = network.client(JULIET)
    network.say(again, "<presence/>")
    assert [line for line in again.take() if line.startswith("message")] == [f"message/chat {ROMEO}: to both"]


def test_across_domains(network: Network) -> None:
    there = "juliet@capulet.lit/balcony"
    juliet, romeo = managed(network, there), managed(network, ROMEO)
    id = juliet.sm_id
    juliet.drop()
    network.say(romeo, chat(there, "1") + R)
    assert romeo.last("a").get("h") == "1"
    assert resume(network, there, id, 0).take() == [f"message/chat {ROMEO}: 1"]


def test_sessions_that_wait_for_their_client_lock_nobody_out(network: Network) -> None:
    """A client whose connections break again and again gets a new session each time; the oldest one gives way."""
    for number in range(MAX_SESSIONS + 3):
        client = managed(network, f"juliet@montague.lit/{number}")
        client.drop()
        network.settle()
    sessions = network.servers[MONTAGUE].domain.accounts.online["juliet"].sessions
    assert len(sessions) == MAX_SESSIONS
    assert str(MAX_SESSIONS + 2) in sessions
    assert "2" not in sessions
