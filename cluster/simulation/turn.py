"""The end of a turn of a simulated server, before which it may crash."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from cluster.base.turn import Turn
from cluster.virtual.host import Host


class MortalTurn(Turn):
    """A turn whose input may be handled, and of whose output nothing is written."""

    def __init__(self, host: Host, crash: Callable[[], None]) -> None:
        """`crash` kills the process."""
        super().__init__(host)
        self.is_last = False
        """The process is killed at the end of the next turn that has work."""
        self._crash = crash

    @override
    def run(self) -> None:
        if self.is_last:
            self._crash()
        else:
            super().run()
