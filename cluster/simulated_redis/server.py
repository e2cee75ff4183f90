"""The process of a simulated Redis: its port, its connections, its disk, and what goes wrong with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from cluster.simulated_redis.acl import ALL_RIGHTS, User, Users
from cluster.simulated_redis.command import Args
from cluster.simulated_redis.database import Value
from cluster.simulated_redis.disk import AppendOnlyFile, Fsync
from cluster.simulated_redis.program import Program
from cluster.simulated_redis.resp import CommandError, Push, Reply, encoded, reader
from cluster.simulated_redis.session import Session
from cluster.virtual.host import Host
from cluster.virtual.network import Network

PORT = 6379
FLUSH_EVERY_S = 1.0
LOADS_S = 0.05
"""After a start it reads its file for this time, and refuses commands."""
MAX_UNSENT_BYTES = 32 << 20
"""Of a connection that listens to channels: with more it is closed (client-output-buffer-limit)."""


class SimulatedRedis:
    """One Redis on a simulated network. Each command is executed in one event, and its reply is sent in a later one:
    a crash may come between the two."""

    def __init__(
        self, network: Network, users: Users, now_utc_s: Callable[[], float], *, address: str = "redis",
        fsync: Fsync = Fsync.ALWAYS,
    ) -> None:  # fmt: skip
        """`address`: of its host; `now_utc_s`: the time by its clock. It is started by `start`."""
        self.address = address
        self.service_s = 0.0
        """How long it takes for each command: more makes it slow."""
        self.disk_takes_s: Callable[[], float] | None = None
        """How long each write to its disk takes: it does nothing else meanwhile, and replies afterwards; None: no time.

        So it is with `appendfsync always`, and otherwise where the disk is slow
        (https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency/, "Fsync is in progress").
        """
        self.executed = 0
        """Commands so far."""
        self.on_start: Callable[[Host], object] = lambda host: None
        """Called with the process of each start."""
        self._network = network
        self._now_utc_s = now_utc_s
        self._users = users
        self._file = AppendOnlyFile(fsync)
        self._program = Program(users, self._file.write)
        self._console = self._program.new_session(lambda push: None)
        self._console.user = User("console", ALL_RIGHTS)
        self._host: Host | None = None
        self._loaded_s = 0.0
        self._is_writing = False
        """It waits for its disk."""
        self._requests: deque[tuple[Connection, Args]] = deque()
        self._replying: dict[Connection, None] = {}

    @property
    def is_up(self) -> bool:
        """It is neither crashed nor paused."""
        return self._host is not None and self._host.life.runs

    @property
    def is_paused(self) -> bool:
        """It hangs."""
        return self._host is not None and not self._host.life.runs

    def start(self) -> None:
        """Start it: for the first time, or after a crash."""
        host = self._host = self._network.host(self.address)
        self.on_start(host)
        self._loaded_s = host.seconds() + LOADS_S if self.executed else 0.0
        host.listenTCP(PORT, Factory.forProtocol(lambda: Connection(self)))
        host.callLater(FLUSH_EVERY_S, self._flush)

    def crash(self) -> None:
        """Kill its process: what was executed is in its file, though some of it may have no reply."""
        if self._host is not None:
            self._host.crash()
            self._host = None
            self._requests.clear()
            self._replying.clear()
            self._is_writing = False
            self._program.forget_connections()

    def lose_power(self) -> None:
        """Crash its machine: it has what its disk has."""
        self.crash()
        self._file.lose_the_rest(self._program.engine.database)

    def pause(self) -> None:
        """Let it hang until `resume`."""
        if self._host is not None:
            self._host.pause()

    def resume(self) -> None:
        """Let it go on."""
        if self._host is not None:
            self._host.resume()

    def do(self, *command: str | bytes | int) -> Reply:
        """Execute a command at once, with all rights, even where it does not run. Raises CommandError."""
        words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
        return self._program.execute(self._console, words, self._now_ms())

    @property
    def values(self) -> Mapping[bytes, Value]:
        """All that is in it."""
        return self._program.engine.database.values

    def _now_ms(self) -> int:
        return int(self._now_utc_s() * 1000)

    def _flush(self) -> None:
        self._file.flush()
        assert self._host is not None  # this is its process
        self._host.callLater(FLUSH_EVERY_S, self._flush)

    # --- for connections

    def new_session(self, push: Callable[[Push], None]) -> Session:
        """The state of a new connection."""
        return self._program.new_session(push)

    def request(self, connection: Connection, args: Args) -> None:
        """A command has come."""
        if not self.service_s and not self._requests and not self._is_writing:
            self._execute(connection, args)
            return
        self._requests.append((connection, args))
        if len(self._requests) == 1 and not self._is_writing:
            self._serve_later()

    def _serve_later(self) -> None:
        assert self._host is not None  # requests end with the process
        self._host.callLater(self.service_s, self._serve)

    def _serve(self) -> None:
        self._execute(*self._requests.popleft())
        if self._requests:
            self._serve_later()

    def _execute(self, connection: Connection, args: Args) -> None:
        assert self._host is not None  # as above
        self.executed += 1
        try:
            if self._host.seconds() < self._loaded_s and args[0].upper() not in (b"HELLO", b"AUTH"):
                raise CommandError("LOADING Valkey is loading the dataset in memory")
            reply = self._program.execute(connection.session, args, self._now_ms())
        except CommandError as error:
            reply = error
        self.reply(connection, encoded(reply))

    def reply(self, connection: Connection, raw: bytes) -> None:
        """Send this in an event after the present one."""
        if not self._replying:
            assert self._host is not None  # as above
            if self._host.life.processor is None:
                self._host.later(self._end_turn)
            else:  # what a turn writes is sent at its end
                self._host.at_turn_end(self._end_turn)
        connection.replies.append(raw)
        self._replying[connection] = None

    def _end_turn(self) -> None:
        """Write what was executed to the disk, then send the replies."""
        is_behind, self._file.is_behind = self._file.is_behind, False
        if is_behind and self.disk_takes_s is not None:
            assert self._host is not None  # as above
            self._is_writing = True
            self._host.callLater(self.disk_takes_s(), self._on_written)
        else:
            self._send_replies()

    def _on_written(self) -> None:
        self._is_writing = False
        self._send_replies()
        while self._requests and not self.service_s:
            self._execute(*self._requests.popleft())
        if self._requests:
            self._serve_later()

    def _send_replies(self) -> None:
        replying, self._replying = self._replying, {}
        for connection in replying:
            connection.send_replies()


class Connection(Protocol):
    """One connection to it."""

    transport: Any

    def __init__(self, redis: SimulatedRedis) -> None:
        self.replies: list[bytes] = []
        """Those that are not yet sent."""
        self._redis = redis
        self._reader = reader()
        self.session: Session = redis.new_session(lambda push: redis.reply(self, encoded(push)))

    def dataReceived(self, data: bytes) -> None:
        """Twisted: requests have come."""
        self._reader.feed(data)
        while (request := self._reader.gets()) is not False:
            self._redis.request(self, request)

    def send_replies(self) -> None:
        """Send all that there are."""
        replies, self.replies = self.replies, []
        if self.connected:
            self.transport.write(b"".join(replies))
            if self.session.listens_to and self.transport.unsent_bytes > MAX_UNSENT_BYTES:
                self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted: the other end is gone; what it had sent is executed."""
        self.connected = 0
        self.session.close()
