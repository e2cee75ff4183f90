"""Sessions that another node of their domain takes up (XEP-0198)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cluster.xmpp.namespaces import SM, STREAMS
from tests.client import child
from tests.network import CAPULET, Network, at_once
from tests.phone import Phone, managed, resume
from tests.unit.modules.kept_sessions import BALCONY, CHAMBER, h_of, kept, messages, refused
from tests.unit.modules.managed_streams import ROMEO, chat


def left_by_another(network: Network, jid: str) -> tuple[Phone, Callable[[], None]]:
    """A session that lived on another node, which has died; and what takes it up here."""
    phone = managed(network, jid)
    network.kill(CAPULET)
    sessions = kept(network)
    records, sessions._records = sessions._records, {}
    network.start(CAPULET)

    def take_up() -> None:
        sessions._records |= records
        server = network.servers[CAPULET]
        server.nodes.claim("juliet")
        at_once(server.domain.restore("juliet"))
        at_once(server.domain.adopt("juliet"))
        server.nodes.release("juliet")
        network.settle()

    return phone, take_up


def test_the_sessions_of_one_account_are_taken_up_while_the_server_runs(network: Network) -> None:
    juliet, take_up = left_by_another(network, BALCONY)
    romeo = network.online(ROMEO)
    network.say(romeo, chat("juliet@capulet.lit", "early"))  # before that
    take_up()
    take_up()  # which changes nothing
    chamber = network.online(CHAMBER)
    network.say(romeo, chat(BALCONY, "hi"))
    assert messages(resume(network, BALCONY, juliet.sm_id, juliet.handled)) == ["early", "hi"]
    network.say(romeo, chat(CHAMBER, "hi"))
    assert messages(chamber) == ["hi"]


@pytest.mark.parametrize("is_available", [True, False])
def test_a_session_whose_resource_is_taken_is_over(network: Network, is_available: bool) -> None:
    network.friends("juliet@capulet.lit", "romeo@montague.lit")
    romeo = network.online(ROMEO)
    juliet, take_up = left_by_another(network, BALCONY)
    again = network.client(BALCONY)
    if is_available:
        network.say(again, "<presence/>")
    network.forget()
    take_up()
    gone = [f"presence/unavailable {BALCONY}", "presence/unavailable juliet@capulet.lit"]
    assert romeo.take() == ([] if is_available else gone)
    assert refused(resume(network, BALCONY, juliet.sm_id, juliet.handled))
    network.say(romeo, chat(BALCONY, "hi"))
    assert messages(again) == ["hi"]
    assert kept(network)._sent == {}


def test_a_resume_at_another_node_that_acknowledges_too_much(network: Network) -> None:
    """It is told what is wrong, and the session keeps its stream."""
    network.add_node("s1b")
    romeo, juliet = managed(network, ROMEO), network.online(BALCONY)
    romeo.take()
    wrong = resume(network, ROMEO, romeo.sm_id, 7, at="s1b")
    error = wrong.last("error", STREAMS)
    assert child(error, "handled-count-too-high", SM).attrib == {"h": "7", "send-count": "0"}
    network.say(juliet, chat(ROMEO, "hi"))
    assert messages(romeo) == ["hi"]


@pytest.mark.parametrize("where", ["the session", "the stream"])
def test_a_node_that_dies_ends_no_session(network: Network, where: str) -> None:
    """Neither the one that has it, nor the one where its stream ends."""
    network.add_node("s1b")
    juliet = network.online(BALCONY)
    first = "" if where == "the stream" else "s1b"
    witness = network.online("romeo@montague.lit/orchard", priority=-1, at=first)  # which node has the account
    romeo = managed(network, ROMEO, at="s1b")
    network.say(juliet, chat(ROMEO, "1"))
    network.say(romeo, chat(BALCONY, "a"))
    handled = romeo.handled - 1
    if where == "the session":
        witness.is_closed = True
    romeo.is_closed = True
    network.crash("s1b")
    network.say(juliet, chat(ROMEO, "2"))
    network.advance(5)
    network.say(juliet, chat(ROMEO, "3"))
    again = resume(network, ROMEO, romeo.sm_id, handled)
    assert h_of(again) == 1
    assert messages(again) == ["1", "2", "3"]
    network.say(again, chat(BALCONY, "b"))
    assert messages(juliet) == ["a", "b"]
