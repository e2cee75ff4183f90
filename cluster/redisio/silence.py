"""Noticing that the way to Redis is cut: the other end of a connection says nothing then, not even goodbye."""

from __future__ import annotations

import socket
from typing import Any

SILENCE_S = 5
"""An idle connection is asked for a sign of life after this."""

AGAIN_S = 1
GIVEN_UP_AFTER = 3
"""Signs of life that did not come, AGAIN_S after each other."""

UNACKNOWLEDGED_MS = 8_000
"""What was sent, and is not acknowledged for so long, was sent into the void: as long as the above takes."""

_OPTIONS = {
    "TCP_KEEPIDLE": SILENCE_S,  # Linux
    "TCP_KEEPALIVE": SILENCE_S,  # macOS has this name for it
    "TCP_KEEPINTVL": AGAIN_S,
    "TCP_KEEPCNT": GIVEN_UP_AFTER,
    "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,  # RFC 5482; Linux only
}


def notice_silence(transport: Any) -> None:
    """Let a TCP connection (or TLS over one) be lost soon after its other end can not be reached any more."""
    lowest = getattr(transport, "transport", transport)  # of TLS
    connection: socket.socket = lowest.getHandle()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS.items():
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
