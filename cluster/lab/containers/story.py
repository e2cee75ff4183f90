"""The logs of a lab's containers, read from the engine."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from cluster.lab.containers.engine import connected
from cluster.lab.folder import LabFolder
from cluster.lab.logs import LogLine, decode


class ContainerLogs:
    """The log lines of all nodes of a lab, or of one, in the order of time."""

    def __init__(self, folder: LabFolder, node: str | None) -> None:
        self._folder = folder
        self._node = node
        self._seen: dict[str, str] = {}

    def read(self) -> Iterator[tuple[str, LogLine]]:
        """The lines since the last call, as (node, line), by time. Raises LabError."""
        with connected(self._folder) as engine:
            containers = [c for c in engine.containers() if self._node in (None, c.labels["xmpplab.node"])]
            parts = [self._new(container) for container in containers]
        yield from heapq.merge(*parts, key=lambda part: part[1].at_utc)

    def _new(self, container: Any) -> list[tuple[str, LogLine]]:
        seen = self._seen.get(container.id, "")
        since = {"since": _seconds(seen)} if seen else {}
        raw: bytes = container.logs(timestamps=True, **since)
        found = []
        for stamp, _, text in (line.partition(b" ") for line in raw.splitlines()):
            at_utc = _padded(stamp.decode())
            if at_utc > seen:
                self._seen[container.id] = at_utc
                if text.strip():
                    found.append((container.labels["xmpplab.node"], decode(text) or _line(at_utc, text)))
        return found


def _padded(stamp: str) -> str:
    """The engine omits zeros at the end, which texts need to be compared."""
    return f"{stamp.removesuffix('Z'):0<29}" if "." in stamp else f"{stamp.removesuffix('Z')}.000000000"


def _seconds(stamp: str) -> int:
    """Whole seconds: repeated lines are recognised by their time."""
    from datetime import datetime

    return int(datetime.fromisoformat(f"{stamp[:19]}+00:00").timestamp())


def _line(at_utc: str, text: bytes) -> LogLine:
    """A line that is not a log line: of Redis, or of a traceback."""
    return LogLine(f"{at_utc[:26]}+00:00", "info", text.decode("utf-8", "replace").rstrip())


def last_words(container: Any, count: int) -> list[str]:
    """The last lines of a node, for an error message."""
    lines = container.logs(tail=count).splitlines()
    return [line.text if (line := decode(raw)) else raw.decode("utf-8", "replace") for raw in lines]
