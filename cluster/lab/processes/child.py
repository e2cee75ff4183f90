"""One process of the lab, kept alive: started, asked until its nodes answer, logged, started again when it dies."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace
from twisted.internet.base import DelayedCall
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, FirstError, gatherResults
from twisted.internet.error import ConnectingCancelledError, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from cluster.base.backoff import Backoff
from cluster.lab.errors import of_system
from cluster.lab.logs import LogFile, LogLine, read_output, utc_text
from cluster.lab.processes.probe import Question, Reactor, answered
from cluster.lab.processes.signals import STOP_TIMEOUT_PER_NODE_S
from cluster.lab.processes.spawning import Spawn
from cluster.lab.state import NodeKind, NodeState

MAX_LINE_BYTES = 1 << 16
"""Of what a process writes without an end of line."""
HEALTHY_S = 10.0
"""A process that ran this long was healthy: its next crash counts as its first."""
_BACKOFF = Backoff(0.1, 5.0)
"""A crash by accident costs little; a process that never comes up is tried often enough to notice that its cause was
mended."""
STOP_TIMEOUT_S = 5.0
"""A process that was asked to stop (SIGTERM) and is still there after this gets SIGKILL; one with several nodes after
STOP_TIMEOUT_PER_NODE_S more for each."""


ASKED_AT_ONCE = 8
"""Nodes of one process: it starts them in their order, so many at the same time."""


class PartNode(NamedTuple):
    """A node, and how to know that it answers."""

    name: str
    kind: NodeKind
    question: Question
    place: int = 0
    """In the list of all nodes."""


@dataclass(frozen=True)
class Part:
    """A process: what to run, and the nodes that are in it."""

    argv: tuple[str, ...]
    nodes: tuple[PartNode, ...]
    """The first one gives the process its name."""
    unsaid: bytes = b""
    """Output with this in it is no news, and stands in no log; empty: all of it is."""

    @property
    def name(self) -> str:
        return self.nodes[0].name


class Child:
    """Keeps one part of the lab running until it is told to stop. Each of its nodes is

    stopped → starting (process started) → running (it answers) → restarting (it died) → starting … → stopped
    """

    def __init__(
        self,
        part: Part,
        reactor: Reactor,
        logs: Mapping[str, LogFile],
        now_utc: Callable[[], datetime],
        changed: Callable[[], None],
        take_hold: Callable[[], float],
        spawn: Spawn,
    ) -> None:
        """`logs`: of its nodes, by their names; `changed` is called after each change of `states`.

        `take_hold` tells how long what died is to stay away.
        """
        self.states = [NodeState(node.name, node.kind) for node in part.nodes]
        self.part = part
        self._reactor = reactor
        self._logs = logs
        self._now_utc = now_utc
        self._changed = changed
        self._take_hold = take_hold
        self._spawn_process = spawn
        self._failures = 0  # in a row
        self._process: Any = None
        self._started_s = 0.0
        self._asking: Deferred[Any] | None = None
        self._timer: DelayedCall | None = None
        self._gone: Deferred[None] | None = None
        self._ready: Deferred[None] = Deferred()

    def start(self) -> Deferred[None]:
        """Start the process; the Deferred fires when all of its nodes have answered for the first time."""
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
            self._timer = self._reactor.callLater(self._stop_timeout_s, self._kill)
        return self._gone

    def write_output(self, raw: bytes, level: str) -> None:
        """A line that the process wrote."""
        if raw.strip() and (not self.part.unsaid or self.part.unsaid not in raw):
            self._write(read_output(raw, self._now_utc(), level))

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
        if how == _ORDERLY:
            self._say("info", f"{self.part.name} has ended ({how}); starting it again in {pause_s:.3g} s")
        else:
            self._say("error", f"{self.part.name} died ({how}); restarting it in {pause_s:.3g} s")
        self._set(self.states, "restarting", pid=None, last_exit=how, restarts=self.states[0].restarts + 1)
        self._timer = self._reactor.callLater(pause_s, self._spawn)

    def _spawn(self) -> None:
        self._timer = None
        self._started_s = self._reactor.seconds()
        try:
            self._process = self._spawn_process(_Process(self), self.part.argv)
        except OSError as error:  # no process, memory or descriptor is left for it
            self.ended(f"cannot be started: {of_system(error)}")
            return
        self._set(self.states, "starting", pid=self._process.pid, started_utc=utc_text(self._now_utc()))
        limit = DeferredSemaphore(ASKED_AT_ONCE)
        asking = [limit.run(self._ask, node, state) for node, state in zip(self.part.nodes, self.states, strict=True)]
        self._asking = all_asked = gatherResults(asking, consumeErrors=True)
        all_asked.addCallbacks(self._all_answered, _stopped_asking)

    def _ask(self, node: PartNode, state: NodeState) -> Deferred[None]:
        asking = Deferred.fromCoroutine(answered(node.question, self._reactor))
        return asking.addCallback(lambda _: self._set([state], "running"))

    def _all_answered(self, _: object) -> None:
        self._asking = None
        if not self._ready.called:
            self._ready.callback(None)

    @property
    def _stop_timeout_s(self) -> float:
        return STOP_TIMEOUT_S + STOP_TIMEOUT_PER_NODE_S * (len(self.states) - 1)

    def _kill(self) -> None:
        self._timer = None
        self._say("warning", f"{self.part.name} did not stop within {self._stop_timeout_s:g} s of SIGTERM: SIGKILL")
        if self._process is not None:
            self._process.signalProcess("KILL")

    def _finish(self) -> None:
        self._set(self.states, "stopped", pid=None)
        if self._gone is not None:
            self._gone.callback(None)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asking is not None:
            asking, self._asking = self._asking, None
            asking.cancel()

    def _set(self, nodes: Sequence[NodeState], state: str, **others: object) -> None:
        for node in nodes:
            for name, value in {"state": state, **others}.items():
                setattr(node, name, value)
        self._changed()

    def _say(self, level: str, text: str) -> None:
        self._write(LogLine(utc_text(self._now_utc()), level, text))

    def _write(self, line: LogLine) -> None:
        """To the log of the node that says it; what concerns the process, to those of all."""
        own = self._logs.get(line.node)
        for log in self._logs.values() if own is None else (own,):
            log.write(replace(line, node=""))


def _stopped_asking(failure: Failure) -> None:
    cause = failure.value.subFailure if isinstance(failure.value, FirstError) else failure
    cause.trap(CancelledError, ConnectingCancelledError)


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


_ORDERLY = "exit code 0"
"""As after SIGTERM."""


def _how(reason: BaseException | None) -> str:
    if isinstance(reason, ProcessTerminated) and reason.signal is not None:
        return f"signal {signal.Signals(reason.signal).name}"
    return f"exit code {getattr(reason, 'exitCode', 0)}"
