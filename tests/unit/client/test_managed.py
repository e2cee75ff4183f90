"""The managed client against a server's side of XEP-0198 that is told when to break."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.client.managed import RETRY_S, ManagedClient
from cluster.xmpp.namespaces import SM
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.login import Resumption, StreamFailed
from tests.unit.client.memory_server import ROMEO, Server


@pytest.fixture
def server() -> Server:
    return Server()


def client_of(server: Server, *greeting: Stanza) -> ManagedClient:
    """Its clock goes on by a second whenever it is looked at."""
    return ManagedClient(server.connect, greeting, map(float, count()).__next__)


def message(number: int) -> Stanza:
    return make("message", id=str(number))


def send(client: ManagedClient, *numbers: int) -> None:
    client.send([message(number) for number in numbers])


def settle(client: ManagedClient) -> list[str]:
    """Let it take in all that there is, and come back if it must: the ids of what it received."""
    found = []
    for _ in range(30):
        child = client.receive(0.0)
        if child is not None:
            found.append(child.attributes.get("id", ""))
    return found


def test_what_is_sent_is_acknowledged(server: Server) -> None:
    client = client_of(server)
    send(client, 1, 2, 3)
    assert client.acknowledged == 0
    settle(client)
    assert client.acknowledged == 3
    assert server.got == ["1", "2", "3"]


def test_what_is_received_is_acknowledged_when_it_was_taken(server: Server) -> None:
    client = client_of(server)
    server.line.tell(b"<message id='a'/><presence/><iq id='b' type='result'/>" + f"<r xmlns='{SM}'/>".encode())
    assert client.receive(0.0) is not None
    assert server.acknowledged_by_client == 0
    assert settle(client) == ["", "b"]
    assert server.acknowledged_by_client == 3


def test_a_stream_is_resumed_and_only_what_the_server_has_not_is_sent_again(server: Server) -> None:
    client = client_of(server, make("presence"))
    server.answers = False
    send(client, 1, 2)
    server.line.tell(b"<message id='a'/>")
    assert settle(client) == ["a"]
    server.loses = 2
    send(client, 3, 4)
    send(client, 5)  # the connection is gone
    assert not client.is_connected
    server.answers = True
    settle(client)
    assert server.resumptions == [Resumption(ROMEO, "sm-1", 1)]
    assert server.got == ["presence", "1", "2", "3", "4", "5"]
    assert client.acknowledged == 6
    assert (client.breaks.resumed, client.breaks.new_sessions) == (1, 0)


def test_a_stream_that_the_server_forgot_is_begun_anew(server: Server) -> None:
    client = client_of(server, make("presence"))
    settle(client)
    server.answers = False
    server.forgets = True
    server.loses = 1
    send(client, 1, 2)
    server.answers = True
    settle(client)
    assert server.got == ["presence", "presence", "1", "2"]
    assert (client.breaks.resumed, client.breaks.new_sessions) == (0, 1)
    server.line.cut()
    settle(client)
    assert server.resumptions[-1].previd == "sm-2"


def test_a_server_that_forgot_a_stream_may_know_how_far_it_came(server: Server) -> None:
    client = client_of(server)
    server.answers = False
    send(client, 1, 2)
    server.loses = 1
    send(client, 3)
    server.forgets = server.tells_h = server.answers = True
    settle(client)
    assert server.got == ["1", "2", "3"]
    assert client.acknowledged == 3


def test_a_server_that_is_away_is_tried_again(server: Server) -> None:
    client = client_of(server)
    server.line.cut()
    server.away = 3
    send(client, 1)
    settle(client)
    assert client.breaks.refused == 3
    assert server.got == ["1"]


def test_what_a_break_cost(server: Server) -> None:
    client = client_of(server)
    server.answers = False
    send(client, 1, 2)
    server.line.cut()
    server.away = 2
    send(client, 3)
    server.answers = True
    settle(client)
    [found] = client.breaks
    assert (found.is_resumed, found.tries) == (True, 2)
    assert found.sent_again == len(server.got) - 2  # those that the server had not
    assert found.back_s is not None
    assert found.back_s > found.at_s


def test_between_two_tries_it_waits_however_often_it_is_asked(server: Server) -> None:
    now_s = 5.0
    client = ManagedClient(server.connect, (), lambda: now_s)
    server.line.cut()
    server.away = 99
    settle(client)
    assert client.breaks.refused == 1
    now_s += RETRY_S
    settle(client)
    assert client.breaks.refused == 2


def test_the_first_connection_is_for_the_caller_to_worry_about(server: Server) -> None:
    server.away = 1
    with pytest.raises(ConnectionRefusedError):
        client_of(server)


def test_a_server_without_stream_management(server: Server) -> None:
    server.early = [f"<failed xmlns='{SM}'/>".encode()]
    with pytest.raises(StreamFailed, match="stream management"):
        client_of(server)
    assert server.line.is_cut


def test_what_comes_before_the_stream_is_managed_is_kept(server: Server) -> None:
    server.early = [b"<message id='early'/>"]
    client = client_of(server)
    assert settle(client) == ["early"]
    server.line.tell(f"<r xmlns='{SM}'/>".encode())
    settle(client)
    assert server.acknowledged_by_client == 0  # it was never counted


def test_a_cut_throws_away_what_is_under_way(server: Server) -> None:
    client = client_of(server)
    server.line.tell(b"<message id='a'/>")
    client.cut()
    assert settle(client) == []
    assert server.lines[0].is_cut
    assert server.resumptions == [Resumption(ROMEO, "sm-1", 0)]


def test_after_a_cut_it_may_stay_away(server: Server) -> None:
    now_s = 5.0
    client = ManagedClient(server.connect, (), lambda: now_s)
    client.cut(away_s=2.0)
    settle(client)
    assert not client.is_connected
    now_s = 7.0
    settle(client)
    assert client.is_connected


def test_a_server_that_counts_otherwise_is_not_resumed_again(server: Server) -> None:
    client = client_of(server)
    send(client, 1)
    server.handled = 7
    server.line.cut()
    settle(client)
    assert [each.previd for each in server.resumptions] == ["sm-1"]
    assert client.breaks.new_sessions == 1


def test_close_says_what_was_handled(server: Server) -> None:
    client = client_of(server)
    server.line.tell(b"<message id='a'/>")
    settle(client)
    client.close()
    assert server.acknowledged_by_client == 1
    assert server.line.is_cut


@given(st.lists(st.one_of(st.integers(1, 5), st.sampled_from(["break", "away"])), max_size=30))
def test_nothing_is_lost_doubled_or_overtaken_while_the_server_remembers(script: list[int | str]) -> None:
    server = Server()
    client = client_of(server)
    sent = 0
    for word in script:
        if isinstance(word, int):
            send(client, *range(sent, sent + word))
            sent += word
            client.receive(0.0)
        elif word == "break":
            server.line.cut()
        else:
            server.line.cut()
            server.away += 1
            client.receive(0.0)
    settle(client)
    assert server.got == [str(number) for number in range(sent)]
    assert client.acknowledged == sent
