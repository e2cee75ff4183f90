"""One process of the lab, kept alive: started, asked until it answers, logged, started again when it dies."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from twisted.internet.base import DelayedCall
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from cluster.base.backoff import Backoff
from cluster.lab.control.readiness import ReadinessProbe
from cluster.lab.logs import LogFile, LogLine, encode, utc_text
from cluster.lab.processes.probe import Reactor, answered
from cluster.lab.state import NodeKind, NodeState

MAX_LINE_BYTES = 1 << 16
"""Of what a process writes without an end of line."""
HEALTHY_S = 10.0
"""A process that ran this long was healthy: its next crash counts as its first."""
_BACKOFF = Backoff(0.1, 5.0)
"""A crash by accident costs little; a process that never comes up is tried often enough to notice that its cause was
mended."""
STOP_TIMEOUT_S = 5.0
"""A process that was asked to stop (SIGTERM) and is still there after this gets SIGKILL."""


@dataclass(frozen=True)
class Part:
    """What to run, and how to know that it answers."""

    name: str
    kind: NodeKind
    argv: tuple[str, ...]
    question: ReadinessProbe
    unsaid: bytes = b""
    """Output with this in it is no news, and stands in no log; empty: all of it is."""


class Child:
    """Keeps one part of the lab running until it is told to stop.

    stopped → starting (process started) → running (it answers) → restarting (it died) → starting … → stopped
    """

    def __init__(
        self,
        part: Part,
        reactor: Reactor,
        log: LogFile,
        now_utc: Callable[[], datetime],
        changed: Callable[[], None],
        take_hold: Callable[[], float],
    ) -> None:
        """`changed` is called after each change of `state`; `take_hold` tells how long what died is to stay away."""
        self.state = NodeState(part.name, part.kind)
        self._part = part
        self._reactor = reactor
        self._log = log
        self._now_utc = now_utc
        self._changed = changed
        self._take_hold = take_hold
        self._failures = 0  # in a row
        self._process: Any = None
        self._started_s = 0.0
        self._asking: Deferred[None] | None = None
        self._timer: DelayedCall | None = None
        self._gone: Deferred[None] | None = None
        self._ready: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        """Start the process; the Deferred fires when it answers for the first time."""
        self._spawn()
        return self._ready

    def stop(self, by: Literal["TERM", "KILL"] = "TERM") -> Deferred[None]:
        """End the process, by force after STOP_TIMEOUT_S; the Deferred fires when it is gone."""
        self._gone = Deferred()
        self._cancel()
        if self._process is None:
            self._finish()
        else:
            self._process.signalProcess(by)
            self._timer = self._reactor.callLater(STOP_TIMEOUT_S, self._kill)
        return self._gone

    def write_output(self, raw: bytes, level: str) -> None:
        """A line that the process wrote."""
        if not self._part.unsaid or self._part.unsaid not in raw:
            self._log.write(raw, self._now_utc(), level)

    def ended(self, how: str) -> None:
        """The process is gone, and all that it wrote was read."""
        self._process = None
        self._cancel()
        if self._gone is not None:
            self._finish()
            return
        if self._reactor.seconds() - self._started_s >= HEALTHY_S:
            self._failures = 0
        pause_s = max(self._take_hold(), _BACKOFF.pause_s(self._failures))
        self._failures += 1
        self._say("error", f"{self._part.name} died ({how}); restarting it in {pause_s:.3g} s")
        self._set("restarting", pid=None, last_exit=how, restarts=self.state.restarts + 1)
        self._timer = self._reactor.callLater(pause_s, self._spawn)

    def _spawn(self) -> None:
        self._timer = None
        self._started_s = self._reactor.seconds()
        argv = self._part.argv
        try:
            self._process = self._reactor.spawnProcess(_Process(self), argv[0], argv, env=None)
        except OSError as error:  # no process, memory or descriptor is left for it
            self.ended(f"cannot be started: {error.strerror}")
            return
        self._set("starting", pid=self._process.pid, started_utc=utc_text(self._now_utc()))
        self._asking = Deferred.fromCoroutine(answered(self._part.question, self._reactor))
        self._asking.addCallbacks(self._answered, _stopped_asking)

    def _answered(self, _: None) -> None:
        self._asking = None
        self._set("running")
        if not self._ready.called:
            self._ready.callback(None)

    def _kill(self) -> None:
        self._timer = None
        self._say("warning", f"{self._part.name} did not stop within {STOP_TIMEOUT_S:g} s of SIGTERM: SIGKILL")
        if self._process is not None:
            self._process.signalProcess("KILL")

    def _finish(self) -> None:
        self._set("stopped", pid=None)
        if self._gone is not None:
            self._gone.callback(None)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asking is not None:
            asking, self._asking = self._asking, None
            asking.cancel()

    def _set(self, state: str, **others: object) -> None:
        for name, value in {"state": state, **others}.items():
            setattr(self.state, name, value)
        self._changed()

    def _say(self, level: str, text: str) -> None:
        now_utc = self._now_utc()
        self._log.write(encode(LogLine(utc_text(now_utc), level, text)), now_utc, level)


def _stopped_asking(failure: Failure) -> None:
    failure.trap(CancelledError, ConnectingCancelledError)  # type: ignore[no-untyped-call]


class _Process(ProcessProtocol):
    """One run of a child: its output, line by line, and its end."""

    transport: Any

    def __init__(self, child: Child) -> None:
        self._child = child
        self._rest = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, rest = (self._rest[childFD] + data).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:  # what never ends is no line
            lines, rest = [*lines, rest], b""
        self._rest[childFD] = rest
        for line in lines:
            self._child.write_output(line, _LEVEL[childFD])

    def processExited(self, reason: Failure) -> None:
        self.transport.closeStdin()  # a leash that still reads it ends too (see redis.py)

    def processEnded(self, reason: Failure) -> None:
        for descriptor, rest in self._rest.items():
            self._child.write_output(rest, _LEVEL[descriptor])
        self._child.ended(_how(reason.value))


_LEVEL = {1: "info", 2: "error"}
"""Level of a line that is no JSON: what Redis says on standard output, and a traceback on standard error."""


def _how(reason: BaseException | None) -> str:
    if isinstance(reason, ProcessTerminated) and reason.signal is not None:
        return f"signal {signal.Signals(reason.signal).name}"
    return f"exit code {getattr(reason, 'exitCode', 0)}"
