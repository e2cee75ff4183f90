"""What goes on in the lab, for all open pages: two threads look while a page is open, and cost nothing otherwise."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from cluster.base.clock import Reactor
from cluster.base.request import Refused
from cluster.lab.api import Lab, LabError
from cluster.trace.hop import Hop
from cluster.web.feed import MAX_HOPS, Feed, State
from cluster.web.history import History
from cluster.web.structure import structure
from cluster.web.traffic import Traffic

MOST_WITH_PEOPLE = 9
"""Domains; with more of them, the map shows no people (`assets/layout.js`)."""
MOST_CLIENTS = 100
"""Of one node, on the map."""
WRITE_EVERY_S = 0.1
"""To a page; changes in between come together."""
LOOK_EVERY_S = 1.0
IDLE_FACTOR = 10
"""A look at a large lab that takes long is followed by a pause of this many times its length."""
MOST_HOPS = 2_000
"""A second; beyond it, only every sampled stanza is followed for CALM_S, for the sake of the lab."""
CALM_S = 15.0


class Live:
    """The state of the lab as the pages know it, and who looks at it. For the thread of the reactor."""

    def __init__(self, lab: Lab, reactor: Reactor) -> None:
        self._lab = lab
        self._reactor = reactor
        self._state: dict[str, Any] = {}
        self._feeds: dict[Feed, Callable[[], None]] = {}
        self.history = History(lab)
        self._watched = threading.Event()
        """Set while a page is open."""
        self._look_now = threading.Event()
        self._is_ticking = False
        self._hops = _Hops(lab, self._watched, self._tell_state)
        for run in (self._look_forever, self._hops.run):
            threading.Thread(target=run, daemon=True, name=run.__qualname__).start()

    def open(self, write: Callable[[], None]) -> Feed:
        """A page that wants to be told; `write` is called when its feed may have something."""
        feed = Feed(self._state)
        self._feeds[feed] = write
        self._watched.set()
        self._look_now.set()
        if not self._is_ticking:
            self._is_ticking = True
            self._reactor.callLater(WRITE_EVERY_S, self._tick)
        return feed

    def close(self, feed: Feed) -> None:
        """The page is gone."""
        self._feeds.pop(feed, None)
        if not self._feeds:
            self._watched.clear()

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return len(self._feeds)

    def look_soon(self) -> None:
        """Something was changed. From any thread."""
        self._look_now.set()

    def say(self, event: Any) -> None:
        """Tell all pages an event of a chat pane. From any thread."""
        self._reactor.callFromThread(self._say, event)

    def done(self, command: str, error: str) -> None:
        """Tell all pages what was done to the lab; `error`: why it was not."""
        self._say({"what": "done", "command": command, "error": error})

    def _say(self, event: Any) -> None:
        for feed in self._feeds:
            feed.say([event])

    def _tick(self) -> None:
        """Give the pages what has come, ten times a second while there are any."""
        self._is_ticking = bool(self._feeds)
        if not self._is_ticking:
            return
        hops, missed = self._hops.take()
        moves, failures = self._hops.traffic_since()
        for feed, write in list(self._feeds.items()):
            feed.pass_on(hops, missed, moves, failures)
            write()
        self._reactor.callLater(WRITE_EVERY_S, self._tick)

    def _tell_state(self, found: State) -> None:
        """From any thread."""
        self._reactor.callFromThread(self._change, found)

    def _change(self, found: State) -> None:
        changes = {key: value for key, value in found.items() if self._state.get(key) != value}
        self._state.update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del self._state[key]
        for feed in self._feeds if changes else ():
            feed.change(changes)

    # --- the thread that looks at nodes and links

    def _look_forever(self) -> None:
        known: set[str] = set()
        while self._watched.wait():
            begun_s = time.monotonic()
            self._look_now.clear()
            found = self._look()
            gone = dict.fromkeys(known - found.keys()) if found["lab"]["up"] else {}
            known = known - gone.keys() | found.keys()
            self._tell_state({**gone, **found})
            took_s = time.monotonic() - begun_s
            pause_s = max(LOOK_EVERY_S - took_s, IDLE_FACTOR * took_s)
            self._look_now.wait(min(pause_s, IDLE_FACTOR * LOOK_EVERY_S))

    def _look(self) -> dict[str, Any]:
        """The state now, by names; of a lab that is down, what its folder has."""
        lab = self._lab
        found: dict[str, Any] = {}
        try:
            if not lab.exists:
                raise LabError(f"lab {lab.name} was taken down; bring it up with `xmpplab up FILE -d`")
            self.history.read()
            found |= {"plan": structure(lab), "time": self.history.newest_utc_s}
            lab.check_up()
            nodes, links = lab.nodes(), lab.links()
        except (Refused, OSError) as error:
            return {**found, "lab": {"name": lab.name, "up": False, "why": str(error)}}
        found["lab"] = {"name": lab.name, "up": True, "why": ""}
        found |= {f"node {node.name}": msgspec.to_builtins(node) for node in nodes}
        found |= {f"link {link.from_} {link.to}": msgspec.to_builtins(link) for link in links}
        if len(found["plan"]["domains"]) <= MOST_WITH_PEOPLE:
            found |= {f"clients {node}": names[:MOST_CLIENTS] for node, names in lab.online(nodes).items()}
        return found


class _Hops:
    """The thread that follows the journal, and what it has found since the last look of the reactor."""

    def __init__(self, lab: Lab, watched: threading.Event, tell: Callable[[State], None]) -> None:
        self._lab = lab
        self._watched = watched
        self._tell = tell
        self._lock = threading.Lock()
        self._traffic = Traffic()
        self._new: deque[Hop] = deque(maxlen=MAX_HOPS)
        self._missed = 0
        self._lines: set[str] = set()
        self._calm_until_s = 0.0
        self._in_second = 0

    def take(self) -> tuple[list[Hop], int]:
        """The newest hops since the last call, and how many more there were."""
        with self._lock:
            hops, missed = list(self._new), self._missed
            self._new.clear()
            self._missed = 0
        return hops, missed

    def traffic_since(self) -> tuple[Any, Any]:
        """Moves and failures since the last call."""
        with self._lock:
            return self._traffic.moves(), self._traffic.failures()

    def run(self) -> None:
        """Endless."""
        while self._watched.wait():
            try:
                self._follow()
            except (Refused, OSError) as error:
                self._tell({"following": {"every": False, "why": str(error)}})
                threading.Event().wait(LOOK_EVERY_S)

    def _follow(self) -> None:
        """Follow the journal until nobody looks, or until more or less is to be followed."""
        self._lab.check_up()
        every = time.monotonic() >= self._calm_until_s
        why = "" if every else "very much traffic: shown is one stanza in `trace.sample_every`, and what fails"
        self._tell({"following": {"every": every, "why": why}})
        second_s = time.monotonic()
        for hops in self._lab.hops(every_stanza=every, tell=lambda text: self._tell_silent(text, every)):
            now_s = time.monotonic()
            self._add(hops)
            if now_s > second_s + 1.0:
                self._end_second(now_s)
                second_s = now_s
            if not self._watched.is_set() or every != (now_s >= self._calm_until_s):
                return

    def _tell_silent(self, text: str, every: bool) -> None:
        why = text if text.startswith("no answer") else ""
        self._tell({"following": {"every": every, "why": why}})

    def _add(self, hops: list[Hop]) -> None:
        self._in_second += len(hops)
        with self._lock:
            self._traffic.take(hops)
            self._missed += max(0, len(self._new) + len(hops) - MAX_HOPS)
            self._new.extend(hops)

    def _end_second(self, now_s: float) -> None:
        if self._in_second > MOST_HOPS:
            self._calm_until_s = now_s + CALM_S
        self._in_second = 0
        with self._lock:
            lines = self._traffic.second()
        found = {f"line {' '.join(line)}": msgspec.to_builtins(traffic) for line, traffic in lines.items()}
        self._tell({**dict.fromkeys(self._lines - found.keys()), **found})
        self._lines = set(found)
