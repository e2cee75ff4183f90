"""Requests about nodes."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from cluster.lab.api import seconds
from cluster.web.requests.ask import Ask, Change, Name, Page

MAX_LOG_LINES = 500


class Look(Ask, frozen=True, tag="look"):
    """The state of a node in full: a `NodeView`."""

    node: Name

    def run(self, page: Page) -> Any:
        return page.lab.look(self.node)

    def words(self) -> tuple[str, ...]:
        return ("ps",)


class Act(Change, frozen=True, tag="act"):
    """Kill, pause, resume or restart a node; the answer has the other nodes of its process, to which it happens too."""

    node: Name
    action: Literal["kill", "pause", "resume", "restart"]
    for_: str = msgspec.field(name="for", default="")
    """How long a killed node stays down, such as `3s`."""

    def run(self, page: Page) -> Any:
        return page.lab.act(self.node, self.action, seconds(self.for_, "for") if self.for_ else 0.0)

    def words(self) -> tuple[str, ...]:
        return (self.action, self.node, *(("--for", self.for_) if self.for_ else ()))


class Scale(Change, frozen=True, tag="scale"):
    """Change the number of nodes of a server, and wait for them."""

    server: Name
    nodes: int

    def run(self, page: Page) -> Any:
        return [node.name for node in page.lab.scale({self.server: self.nodes}).nodes_of(self.server)]

    def words(self) -> tuple[str, ...]:
        return ("scale", f"{self.server}={self.nodes}")


class Log(Ask, frozen=True, tag="log"):
    """The newest lines of a node's log, or of all logs with this text: `[time, level, text, node]` each."""

    node: Name = ""
    text: Name = ""
    tail: Annotated[int, Meta(ge=1, le=MAX_LOG_LINES)] = 200

    def run(self, page: Page) -> Any:
        wanted = self.text.casefold()
        lines = page.lab.log(self.node or None).read()
        found = deque(((node, line) for node, line in lines if wanted in line.text.casefold()), self.tail)
        return [(line.at_utc, line.level, line.text, node) for node, line in found]

    def words(self) -> tuple[str, ...]:
        if self.text:
            return ()
        return ("logs", *((self.node,) if self.node else ()), "--tail", str(self.tail))
