"""How much a node logs, which its operator may change while it runs."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import LogEvent, LogLevel

from cluster.lab.control.requests import Level
from cluster.lab.runtime.node_reactor import current_node

_LEVELS = {"debug": LogLevel.debug, "info": LogLevel.info, "warning": LogLevel.warn, "error": LogLevel.error}
USUAL: Level = "info"


class LogLevels:
    """The least severe level that each node of this process logs: `info`, until a request says otherwise."""

    def __init__(self) -> None:
        self._levels: dict[str, Level] = {}

    def before(self, observer: Callable[[LogEvent], None]) -> Callable[[LogEvent], None]:
        """The observer, for what is severe enough."""

        def observe(event: LogEvent) -> None:
            if event.get("log_level", LogLevel.info) >= _LEVELS[self._levels.get(current_node(), USUAL)]:
                observer(event)

        return observe

    async def log_level(self, level: Level) -> Level:
        """Let the node that is asked log from this level on, until the process ends; returns the level before."""
        node = current_node()
        before = self._levels.get(node, USUAL)
        self._levels[node] = level
        return before
