"""The socket of a connection, for code that sets its options."""

from __future__ import annotations


class Socket:
    """It has no effect: what options of a kernel decide, such as when an idle peer is probed, is not modelled."""

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Accepted."""


SOCKET = Socket()
