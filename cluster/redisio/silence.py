"""Detects that the other end of a connection to Redis is gone or hangs, without a goodbye."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from cluster.base.clock import Clock, together_s

KEEPALIVE_S = 5
"""An idle connection is probed after this."""

AGAIN_S = 1
GIVEN_UP_AFTER = 3
"""Unanswered probes, AGAIN_S apart, after which the connection is lost."""

UNACKNOWLEDGED_MS = 8_000
"""Data that is not acknowledged within this is lost: as long as the above takes."""

_OPTIONS = {
    "TCP_KEEPIDLE": KEEPALIVE_S,  # Linux
    "TCP_KEEPALIVE": KEEPALIVE_S,  # the name on macOS
    "TCP_KEEPINTVL": AGAIN_S,
    "TCP_KEEPCNT": GIVEN_UP_AFTER,
    "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,  # RFC 5482; Linux only
}


def notice_silence(transport: Any) -> None:
    """Let a TCP connection (or TLS over one) be lost soon after its other end cannot be reached any more.

    This is the kernel's part, which answers for a process that hangs too: see `Watch`.
    """
    lowest = getattr(transport, "transport", transport)  # of TLS
    connection: socket.socket = lowest.getHandle()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS.items():
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


class Patience(NamedTuple):
    """Time limits for the replies of a Redis."""

    look_s: float
    """How often to check that anything came, while a reply is due."""
    looks: int
    """A connection is given up at this check in a row without input. One check proves nothing: this process may have
    hung itself."""
    late_s: float = math.inf
    """A later reply is not trusted."""
    pings: bool = False
    """If no reply is due, send a PING at each check."""


COMMANDS = Patience(look_s=2.5, looks=3)
"""5 to 7.5 s. Redis answers within milliseconds, on a busy machine within tenths of a second."""

FAILOVER_COMMANDS = Patience(look_s=1.0, looks=6, late_s=1.0, pings=True)
"""Also 5 to 6 s. But a master that hung until its replica took over does not know it yet: it executes commands, says
so, and forgets them when it learns of the other.

A replica takes over when the master was silent for cluster-node-timeout, or down-after-milliseconds of Sentinel; if
that is 2 s or more, a replaced master is recognised by its late replies.
"""

SUBSCRIPTIONS = Patience(look_s=5.0, looks=2, pings=True)
"""No replies are due there except to these PINGs."""


class Watch:
    """Watches one connection for due replies."""

    def __init__(
        self, clock: Clock, patience: Patience, *, waits: Callable[[], bool], ping: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:  # fmt: skip
        """`waits`: whether a reply is due. `give_up` is called once."""
        self._clock = clock
        self._patience = patience
        self._waits = waits
        self._ping = ping
        self._give_up = give_up
        self._silent_looks = 0
        self._since_s = 0.0
        self._timer: Any = None

    def begin(self) -> None:
        """A reply is due, and none was before."""
        self._since_s = self._clock.seconds()
        if self._timer is None:
            self._silent_looks = 0
            self._timer = self._clock.callLater(together_s(self._clock, self._patience.look_s), self._look)

    def hear(self) -> bool:
        """Input came. False if it comes too late to be trusted."""
        self._silent_looks = 0
        now_s = self._clock.seconds()
        late = now_s - self._since_s > self._patience.late_s and self._waits()
        self._since_s = now_s
        return not late

    def end(self) -> None:
        """The connection has ended."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._waits():
            self._silent_looks += 1
        elif not self._patience.pings:
            return  # `begin` comes with the next command
        else:
            self._ping()
        if self._silent_looks >= self._patience.looks:
            self._give_up()
        elif self._timer is None:
            self._timer = self._clock.callLater(together_s(self._clock, self._patience.look_s), self._look)
