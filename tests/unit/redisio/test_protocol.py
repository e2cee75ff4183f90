import pytest
from hiredis import ReplyError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from cluster.redisio.protocol import RedisProtocol
from cluster.redisio.silence import COMMANDS, FAILOVER_COMMANDS, SUBSCRIPTIONS, Patience


class Connection:
    """A protocol on a transport in memory, and what it reported."""

    def __init__(self, patience: Patience = COMMANDS) -> None:
        self.pushed: list[tuple[str, bytes]] = []
        self.lost = 0
        self.transport = StringTransport()
        self.clock = Clock()
        self.protocol = RedisProtocol(self.clock, patience, lambda *push: self.pushed.append(push), self._on_lost)
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


def test_a_redis_that_does_not_answer_is_given_up_and_all_that_wait_fail() -> None:
    connection = Connection()
    replies = [outcome(connection.protocol.execute("A")), outcome(connection.protocol.execute("B"))]
    connection.clock.pump([2.5, 2.4])
    assert (connection.lost, replies) == (0, [[], []])
    connection.clock.pump([0.1, 2.5])
    assert connection.lost == 1
    assert [type(error) for [error] in replies] == [ConnectionLost, ConnectionLost]
    late = outcome(connection.protocol.execute("C"))
    assert isinstance(late[0], ConnectionLost)


def test_a_redis_that_is_slow_but_goes_on_is_waited_for() -> None:
    connection = Connection()
    replies = [outcome(connection.protocol.execute("A")) for _ in range(10)]
    for _ in replies:
        connection.clock.pump([2.5, 2.4])
        connection.protocol.dataReceived(b"+OK\r\n")
    assert replies == [[b"OK"]] * 10
    assert connection.lost == 0
    connection.clock.pump([2.5] * 10)  # nothing is waited for
    assert connection.lost == 0
    assert connection.clock.getDelayedCalls() == []


def test_whoever_stood_still_itself_looks_before_it_gives_up() -> None:
    connection = Connection()
    reply = outcome(connection.protocol.execute("A"))
    connection.clock.advance(600)  # one turn of the reactor, in which its timers come before what was received
    connection.protocol.dataReceived(b"+OK\r\n")
    assert reply == [b"OK"]


def test_what_is_done_late_by_a_redis_that_was_given_up_is_waited_for() -> None:
    connection = Connection()
    for _ in range(3):
        connection.protocol.execute("A").addErrback(lambda failure: None)
    connection.clock.pump([2.5] * 3)
    drained = outcome(connection.protocol.drained())
    connection.protocol.dataReceived(b"+OK\r\n+OK\r\n")
    assert drained == []
    connection.protocol.dataReceived(b"+OK\r\n")
    assert drained == [None]


def test_a_late_answer_of_a_node_is_not_believed() -> None:
    """It may have been deposed while it stood still."""
    connection = Connection(FAILOVER_COMMANDS)
    in_time = outcome(connection.protocol.execute("A"))
    connection.clock.advance(0.9)
    connection.protocol.dataReceived(b"+OK\r\n")
    late = outcome(connection.protocol.execute("A"))
    connection.clock.pump([0.5, 0.6])
    connection.protocol.dataReceived(b"+OK\r\n")
    assert in_time == [b"OK"]
    assert isinstance(late[0], ConnectionLost)
    assert connection.lost == 1


@pytest.mark.parametrize("patience", [FAILOVER_COMMANDS, SUBSCRIPTIONS])
def test_a_connection_on_which_nothing_is_waited_for_is_asked_for_a_sign_of_life(patience: Patience) -> None:
    connection = Connection(patience)
    subscribed = outcome(connection.protocol.execute("SUBSCRIBE", "c"))
    connection.protocol.dataReceived(b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
    assert subscribed
    for _ in range(20):
        connection.clock.advance(patience.look_s)
        connection.protocol.dataReceived(b"-MISCONF no disk\r\n")  # it refuses to say PONG then, and is there
    assert connection.lost == 0
    connection.clock.pump([patience.look_s] * (patience.looks + 1))
    assert connection.lost == 1


@pytest.mark.parametrize(
    "error", ["READONLY You can't write", "MOVED 1 h:1", "CLUSTERDOWN x", "LOADING x", "MASTERDOWN x", "TRYAGAIN x"]
)
@pytest.mark.parametrize("posted", [True, False])
def test_a_redis_that_has_not_got_the_keys_any_more_ends_the_connection(error: str, posted: bool) -> None:
    connection = Connection()
    first = [] if posted else outcome(connection.protocol.execute("A"))
    if posted:
        connection.protocol.post("A")
    second = outcome(connection.protocol.execute("B"))
    connection.protocol.dataReceived(f"-{error}\r\n+OK\r\n".encode())
    assert connection.lost == 1
    assert [type(each) for each in first + second] == [ConnectionLost] * (1 if posted else 2)


def test_of_many_refusals_alike_one_is_logged() -> None:
    connection = Connection()
    for _ in range(3):
        connection.protocol.post("A")
    with capturedLogs() as events:
        connection.protocol.dataReceived(b"-MISCONF no disk\r\n" * 3)
    assert len(events) == 1
