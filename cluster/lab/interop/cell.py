"""One result of the grid."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import msgspec

from cluster.lab.api import Lab, LabError
from cluster.lab.checking.wire import Ended
from cluster.lab.interop.exchange import Exchange, Line
from cluster.lab.interop.person import Broken, Side
from cluster.xmpp.errors import StreamError
from cluster.xmpp.streams.login import StreamFailed

Way = Literal["external", "dialback", "bidi", "direct-tls", "certificates", "conduct"]


class Cell(msgspec.Struct, frozen=True):
    """One scenario from one server to another."""

    here: str
    """Kind of the server whose client begins; for `certificates` and `conduct`, the domain of the other server."""
    there: str
    way: Way
    scenario: str
    """For `certificates`: the flaw of the certificate."""
    ok: bool
    remark: str
    """What went wrong, or what is worth knowing."""
    seconds: float
    side: Side | Literal[""] = ""
    """Which server breaks the rule, if one does; `unknown`: nobody can tell from outside."""
    rule: str = ""
    """The section that is broken."""
    exchange: tuple[Line, ...] = ()
    """What was said, bounded."""

    @property
    def blame(self) -> str:
        """Which side breaks which section; empty if nothing is broken."""
        if self.ok:
            return ""
        if self.side in ("", "unknown"):
            return f"which side breaks {self.rule}, nobody can tell from outside"
        kind = self.here if self.side == "here" else self.there
        whose = "" if self.here != self.there else f" ({'sender' if self.side == 'here' else 'receiver'})"
        return f"{kind}{whose} breaks {self.rule}"


Outcome = tuple[bool, str]


def one_line(text: str) -> str:
    """A text that may have several lines, for a table or a list."""
    return " ".join(text.split())


def tried(
    lab: Lab, here: str, there: str, way: Way, scenario: str, rule: str, run: Callable[[Exchange], Outcome]
) -> Cell:
    """Run a scenario; what it raises is what went wrong. `rule`: the section that it is about."""
    story = lab.log()
    for _ in story.read():
        pass  # what was logged before
    exchange = Exchange()
    begun_s = time.monotonic()
    side: Side | Literal[""] = ""
    try:
        ok, remark = run(exchange)
        side = "" if ok else "there"
    except Broken as broken:
        ok, remark, side, rule = False, str(broken), broken.side, broken.rule or rule
    except (Ended, LabError, StreamError, StreamFailed, OSError) as error:
        ok, remark, side = False, one_line(str(error)), "unknown"
    seconds = time.monotonic() - begun_s
    for node, line in story.read():
        if node in {server.name for server in lab.plan.servers}:
            exchange.logged(node, line.at_utc, line.text)
    return Cell(here, there, way, scenario, ok, remark, seconds, side, "" if ok else rule, exchange.lines)
