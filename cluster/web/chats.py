"""The chat panes of the page: each is a real client of the lab in a thread, or a phone or mailbox."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count

from cluster.base.request import Refused
from cluster.lab.api import BadInput, Lab, LabError
from cluster.web.talkers import INBOX_EVERY_S, MAX_KEPT, Event, Talker, Tell, read_stanza, talker_of
from cluster.xmpp import element as xml

MAX_PANES = 12
MAX_KEPT_CHARACTERS = 20_000
"""Of one event; the rest of a long stanza is not shown."""
MAX_WAITING = 100
"""Messages that a pane has not sent yet."""


class Chats:
    """All panes. Its methods may be called from any thread."""

    def __init__(self, lab: Lab, tell: Tell) -> None:
        """`tell` gets each event with its `pane`, from any thread."""
        self._lab = lab
        self._tell = tell
        self._panes: dict[int, _Pane] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()

    def open(self, who: str, password: str) -> Event:
        """Log in; returns the pane. Raises LabError."""
        with self._lock:
            if len(self._panes) >= MAX_PANES:
                raise LabError(f"{MAX_PANES} panes are open; close one first")
        pane = _Pane(next(self._numbers), self._tell)
        pane.start(talker_of(self._lab, who, password, pane.tell))
        with self._lock:
            self._panes[pane.number] = pane
        return pane.shown()

    def ls(self) -> list[Event]:
        """The open panes, with their newest events."""
        with self._lock:
            return [pane.shown() for pane in self._panes.values()]

    def say(self, number: int, to: str, text: str) -> None:
        """Write a message from a pane. Raises LabError."""
        pane, address = self._pane(number), str(self._lab.address(to))
        if not text.strip():
            raise BadInput("empty message; write a text")
        try:
            xml.check_text(text)
        except ValueError as error:
            raise BadInput(str(error)) from None
        pane.do(lambda talker: talker.say(address, text))

    def send_xml(self, number: int, text: str) -> None:
        """Send one stanza as it was typed. Raises BadInput if it is none."""
        pane = self._pane(number)
        read_stanza(text)
        pane.do(lambda talker: talker.send_xml(text))

    def close(self, number: int) -> None:
        """Log out, and forget the pane."""
        pane = self._pane(number)
        with self._lock:
            self._panes.pop(number, None)
        pane.stop()

    def close_all(self, wait_s: float = 0.0) -> None:
        """Log all out; wait so long for the servers to hear it."""
        with self._lock:
            panes, self._panes = list(self._panes.values()), {}
        for pane in panes:
            pane.stop()
        until_s = time.monotonic() + wait_s
        for pane in panes:
            pane.join(max(0.0, until_s - time.monotonic()))

    def _pane(self, number: int) -> _Pane:
        with self._lock:
            pane = self._panes.get(number)
        if pane is None:
            raise BadInput(f"no pane {number}: it was closed")
        return pane


class _Pane:
    """One pane: its thread, what it has to do, and what happened in it."""

    def __init__(self, number: int, tell: Tell) -> None:
        self.number = number
        self._tell = tell
        self._events: deque[Event] = deque(maxlen=MAX_KEPT)
        self._todo: queue.Queue[Callable[[Talker], None]] = queue.Queue(MAX_WAITING)
        self._is_stopped = threading.Event()
        self._who: tuple[str, str] = ("", "")

    def start(self, talker: Talker) -> None:
        """Begin to talk."""
        self._who = talker.jid, talker.kind
        self._thread = threading.Thread(target=self._run, args=(talker,), daemon=True, name=f"pane {self.number}")
        self._thread.start()

    def stop(self) -> None:
        """End it soon."""
        self._is_stopped.set()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def shown(self) -> Event:
        """For the page."""
        jid, kind = self._who
        return {"pane": self.number, "jid": jid, "kind": kind, "events": list(self._events)}

    def tell(self, event: Event) -> None:
        """Keep an event, and tell it to the pages."""
        cut = {key: value[:MAX_KEPT_CHARACTERS] if isinstance(value, str) else value for key, value in event.items()}
        event = {"pane": self.number, "at": time.time(), **cut}
        self._events.append(event)
        self._tell(event)

    def do(self, what: Callable[[Talker], None]) -> None:
        """Let the thread do this. Raises LabError if it has too much to do."""
        try:
            self._todo.put_nowait(what)
        except queue.Full:
            raise LabError(f"{MAX_WAITING} messages of this pane wait to be sent; wait, or close it") from None

    def _run(self, talker: Talker) -> None:
        try:
            while not self._is_stopped.is_set():
                self._step(talker)
        except Exception as error:  # the pane ends, and says so
            self.tell({"what": "ended", "text": str(error)})
        finally:
            talker.close()

    def _step(self, talker: Talker) -> None:
        try:
            talker.step()
            while not self._todo.empty():
                self._todo.get_nowait()(talker)
        except Refused as error:
            self.tell({"what": "refused", "text": str(error)})
            self._is_stopped.wait(INBOX_EVERY_S)
