"""Noticing that the other end of a connection to Redis says nothing any more, not even goodbye."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from cluster.base.clock import Clock

KEEPALIVE_S = 5
"""An idle connection is asked for a sign of life after this."""

AGAIN_S = 1
GIVEN_UP_AFTER = 3
"""Signs of life that did not come, AGAIN_S after each other."""

UNACKNOWLEDGED_MS = 8_000
"""What was sent, and is not acknowledged for so long, was sent into the void: as long as the above takes."""

_OPTIONS = {
    "TCP_KEEPIDLE": KEEPALIVE_S,  # Linux
    "TCP_KEEPALIVE": KEEPALIVE_S,  # macOS has this name for it
    "TCP_KEEPINTVL": AGAIN_S,
    "TCP_KEEPCNT": GIVEN_UP_AFTER,
    "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,  # RFC 5482; Linux only
}


def notice_silence(transport: Any) -> None:
    """Let a TCP connection (or TLS over one) be lost soon after its other end can not be reached any more.

    That is the kernel's part. It answers for a process that hangs too: see `Watch`.
    """
    lowest = getattr(transport, "transport", transport)  # of TLS
    connection: socket.socket = lowest.getHandle()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS.items():
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


class Patience(NamedTuple):
    """How long a Redis may take to answer."""

    look_s: float
    """How often to look whether anything came, while something is waited for."""
    looks: int
    """A connection is given up at this look in a row at which nothing had come. One look proves nothing: this process
    may have stood still itself."""
    late_s: float = math.inf
    """A reply that comes later is not believed."""
    pings: bool = False
    """Where nothing is waited for, ask for a sign of life at each look."""


COMMANDS = Patience(look_s=2.5, looks=3)
"""5 to 7.5 s. Redis answers within milliseconds, on a busy machine within tenths of a second."""

CLUSTER_COMMANDS = Patience(look_s=1.0, looks=6, late_s=1.0, pings=True)
"""Also 5 to 6 s. But a master that stood still until its replica took over does not know it yet: it does what it was
told, says so, and forgets it when it hears of the other. The cluster waits for cluster-node-timeout before it lets a
replica take over; where that is 2 s or more, a deposed master is known by its late replies."""

SUBSCRIPTIONS = Patience(look_s=5.0, looks=2, pings=True)
"""Nothing is ever waited for there but the answers to these PINGs."""


class Watch:
    """Over one connection: whether what is waited for comes."""

    def __init__(
        self, clock: Clock, patience: Patience, *, waits: Callable[[], bool], ping: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:  # fmt: skip
        """`waits`: something is not answered. `give_up` is called once."""
        self._clock = clock
        self._patience = patience
        self._waits = waits
        self._ping = ping
        self._give_up = give_up
        self._silent_looks = 0
        self._since_s = 0.0
        self._timer: Any = None

    def begin(self) -> None:
        """Something is waited for, and nothing was before."""
        self._since_s = self._clock.seconds()
        if self._timer is None:
            self._silent_looks = 0
            self._timer = self._clock.callLater(self._patience.look_s, self._look)

    def hear(self) -> bool:
        """Something came. False where it comes too late to be believed."""
        self._silent_looks = 0
        now_s = self._clock.seconds()
        late = now_s - self._since_s > self._patience.late_s and self._waits()
        self._since_s = now_s
        return not late

    def end(self) -> None:
        """The connection is over."""
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
            self._timer = self._clock.callLater(self._patience.look_s, self._look)
