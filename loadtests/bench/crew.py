"""The clients of a measurement: registered, logged in, and available."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from cluster.client.blocking import BlockingClient
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login
from loadtests.bench.line import Line
from loadtests.bench.pair import Pair, Server
from loadtests.unarchived import keep_nothing


class Crew:
    """Clients of one pair, which all hang up together."""

    def __init__(self, pair: Pair, tls: bool, closing: ExitStack) -> None:
        self._pair = pair
        self._tls = tls
        self._closing = closing
        self.epoll = closing.enter_context(select.epoll())
        self.lines: dict[int, Line] = {}
        """By file descriptor."""

    def log_in(self, server: Server, localpart: str, *, register: bool = False) -> tuple[Line, Jid]:
        """One more client, by SCRAM."""
        login = Login(Jid(localpart, server.domain, "bench"), "secret", register, in_clear=not self._tls)
        client = BlockingClient((server.host, server.port), login, self._pair.ca_file)
        if register:
            keep_nothing(client)
        client.send(b"<presence/>")
        line = Line(client.detach(), self.epoll)
        self._closing.callback(line.close)
        self.lines[line.fileno()] = line
        return line, client.jid

    def serve(self, timeout_s: float) -> None:
        """Read and write what is possible, and wait at most this long for something to do."""
        select.select([self.epoll], [], [], timeout_s)  # epoll itself waits for whole milliseconds only
        for descriptor, events in self.epoll.poll(0):
            self.lines[descriptor].serve(events)


@contextmanager
def crew(pair: Pair, *, tls: bool) -> Iterator[Crew]:
    """With TLS by STARTTLS, or all in clear text."""
    with ExitStack() as closing:
        yield Crew(pair, tls, closing)
