"""The clients of a measurement: registered, logged in, and available."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from cluster.client.blocking import BlockingClient
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login
from loadtests.archiving import keep
from loadtests.bench.line import Line
from loadtests.bench.pair import Pair, Server

PRESENCE = b"<presence/>"
DRAIN_S = 20.0
"""Time limit for the arrival of the last bytes that are waited for."""


class FlowBroken(Exception):
    """Something was lost or returned: there is nothing to measure."""


class Crew:
    """Clients of one pair, which all hang up together."""

    def __init__(self, pair: Pair, tls: bool, closing: ExitStack) -> None:
        self._pair = pair
        self._tls = tls
        self._closing = closing
        self.epoll = closing.enter_context(select.epoll())
        self.lines: dict[int, Line] = {}
        """By file descriptor."""

    def log_in(
        self, server: Server, localpart: str, *, register: bool = False, presence: bytes = PRESENCE
    ) -> tuple[Line, Jid]:
        """One more client, by SCRAM; `presence` is its initial one."""
        login = Login(Jid(localpart, server.domain, "bench"), "secret", register, in_clear=not self._tls)
        client = BlockingClient((server.host, server.port), login, self._pair.ca_file)
        if register:
            keep(client, "never")
        client.send(presence)
        line = Line(client.detach(), self.epoll)
        self._closing.callback(line.close)
        self.lines[line.fileno()] = line
        return line, client.jid

    def serve(self, timeout_s: float) -> None:
        """Read and write what is possible, and wait at most this long for something to do."""
        select.select([self.epoll], [], [], timeout_s)  # epoll itself waits for whole milliseconds only
        for descriptor, events in self.epoll.poll(0):
            self.lines[descriptor].serve(events)

    def rest(self, for_s: float) -> None:
        """Serve for this time."""
        until_s = time.monotonic() + for_s
        while (left_s := until_s - time.monotonic()) > 0:
            self.serve(left_s)

    def serve_until(self, is_done: Callable[[], bool], what: str, within_s: float = DRAIN_S) -> None:
        """Serve until that is so. Raises FlowBroken, with what was waited for."""
        until_s = time.monotonic() + within_s
        while not is_done():
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise FlowBroken(f"{what} within {within_s:g} s")
            self.serve(left_s)


@contextmanager
def crew(pair: Pair, *, tls: bool) -> Iterator[Crew]:
    """With TLS by STARTTLS, or all in clear text."""
    with ExitStack() as closing:
        yield Crew(pair, tls, closing)
