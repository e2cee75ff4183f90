import pytest
from hiredis import ReplyError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from cluster.redisio.protocol import RedisProtocol


class Connection:
    """A protocol on a transport in memory, and what it reported."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, bytes]] = []
        self.lost = 0
        self.transport = StringTransport()
        self.protocol = RedisProtocol(lambda *push: self.pushed.append(push), self._on_lost)
        self.protocol.makeConnection(self.transport)

    def _on_lost(self) -> None:
        self.lost += 1


def outcome(reply: Deferred[object]) -> list[object]:
    """What it has fired with, now or later."""
    fired: list[object] = []
    reply.addBoth(lambda value: fired.append(value.value if isinstance(value, Failure) else value))
    return fired


def test_commands_are_written_at_once_and_replies_come_in_their_order() -> None:
    connection = Connection()
    first = outcome(connection.protocol.execute("SET", "k", b"\x00\xff"))
    second = outcome(connection.protocol.execute("XLEN", "k"))
    assert connection.transport.value() == (
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\x00\xff\r\n*2\r\n$4\r\nXLEN\r\n$1\r\nk\r\n"
    )
    for byte in b"+OK\r\n:7\r\n":
        connection.protocol.dataReceived(bytes((byte,)))
    assert (first, second) == ([b"OK"], [7])


def test_false_and_null_are_replies() -> None:
    connection = Connection()
    replies = [outcome(connection.protocol.execute("X")) for _ in range(3)]
    connection.protocol.dataReceived(b"#f\r\n_\r\n$-1\r\n")
    assert replies == [[False], [None], [None]]


def test_an_error_reply_fails_its_command_only() -> None:
    connection = Connection()
    first, second = outcome(connection.protocol.execute("A")), outcome(connection.protocol.execute("B"))
    connection.protocol.dataReceived(b"-NOPERM no\r\n+OK\r\n")
    assert isinstance(first[0], ReplyError)
    assert second == [b"OK"]


def test_pushed_messages_are_no_replies_but_the_answer_to_subscribe_is() -> None:
    connection = Connection()
    subscribed, next_one = (
        outcome(connection.protocol.execute("SUBSCRIBE", "c")),
        outcome(connection.protocol.execute("A")),
    )
    connection.protocol.dataReceived(b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
    assert subscribed == [[b"subscribe", b"c", 1]]
    connection.protocol.dataReceived(b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n+OK\r\n")
    assert connection.pushed == [("c", b"hi")]
    assert next_one == [b"OK"]


def test_when_the_connection_is_lost_it_is_reported_and_then_all_that_wait_fail() -> None:
    connection = Connection()
    order: list[object] = []
    connection.protocol.execute("A").addErrback(lambda failure: order.extend((connection.lost, failure.type)))
    connection.protocol.post("B")
    connection.protocol.connectionLost(Failure(ConnectionDone()))
    assert order == [1, ConnectionLost]


def test_after_the_end_commands_fail_and_nothing_is_written() -> None:
    connection = Connection()
    connection.protocol.connectionLost(Failure(ConnectionDone()))
    connection.protocol.post("A")
    late = outcome(connection.protocol.execute("B"))
    assert isinstance(late[0], ConnectionLost)
    assert connection.transport.value() == b""


def test_a_posted_command_keeps_its_place_among_the_replies() -> None:
    connection = Connection()
    connection.protocol.post("A")
    reply = outcome(connection.protocol.execute("B"))
    connection.protocol.dataReceived(b":1\r\n")
    assert reply == []
    connection.protocol.dataReceived(b":2\r\n")
    assert reply == [2]


def test_cancelling_one_keeps_the_place_of_the_others() -> None:
    connection = Connection()
    first, second = connection.protocol.execute("A"), outcome(connection.protocol.execute("B"))
    first.addErrback(lambda _: None)
    first.cancel()
    connection.protocol.dataReceived(b":1\r\n:2\r\n")
    assert second == [2]


def test_no_redis_at_the_other_end_is_an_error() -> None:
    with pytest.raises(Exception, match=r"[Pp]rotocol error"):
        Connection().protocol.dataReceived(b"HTTP/1.1 400 Bad Request\r\n")
