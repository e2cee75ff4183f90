"""The sessions of a run, a thread each: one sends a flow, receives stanzas, or is a bystander."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence

from cluster.client.managed import ManagedClient
from cluster.lab.verify.content import Content
from cluster.lab.verify.records import FlowRecord, Leg
from cluster.lab.verify.scenario import Flow
from cluster.lab.verify.witness import Witness

MAX_BURST = 100
"""Stanzas that a late sender writes at once before it reads its input."""

PATIENCE_S = 0.05
"""How often an idle client checks whether it is to end."""

SHORTEST_WAIT_S = 0.0002


class Pace:
    """The times at which the stanzas of a flow are due."""

    def __init__(self, flow: Flow, record: FlowRecord, legs: Sequence[Leg], now_s: Callable[[], float]) -> None:
        """`now_s`: since the start of the run."""
        self._flow = flow
        self._record = record
        self._legs = legs
        self._now_s = now_s

    @property
    def is_over(self) -> bool:
        """Whether nothing more is due, now or later."""
        if self._flow.count is None:
            return self._now_s() >= self._flow.duration
        return len(self._record.sent_s) >= self._flow.count

    @property
    def due(self) -> int:
        """The number of stanzas to send now."""
        sent = len(self._record.sent_s)
        if self._flow.rate is None or self._flow.count is None:
            return 0 if self.is_over else max(0, self._flow.window - max(leg.unsettled for leg in self._legs))
        passed_s = min(max(0.0, self._now_s()), self._flow.duration)
        return min(int(passed_s * self._flow.rate) + 1, self._flow.count) - sent

    @property
    def pause_s(self) -> float:
        """The time until the next one may be due; at most PATIENCE_S."""
        if self.is_over:
            return PATIENCE_S
        if self._flow.rate is None:
            return SHORTEST_WAIT_S
        due_s = len(self._record.sent_s) / self._flow.rate
        return max(SHORTEST_WAIT_S, min(PATIENCE_S, due_s - self._now_s()))


class Outgoing:
    """The flow that a session sends."""

    def __init__(self, record: FlowRecord, content: Content, pace: Pace, now_s: Callable[[], float]) -> None:
        self.record = record
        self.pace = pace
        self._content = content
        self._now_s = now_s

    @property
    def is_done(self) -> bool:
        """Whether all is sent and acknowledged."""
        return self.pace.is_over and self.record.acknowledged >= len(self.record.sent_s)

    def send(self, client: ManagedClient) -> None:
        """Send what is due now."""
        count = min(self.pace.due, MAX_BURST)
        if count > 0:
            now_s = self._now_s()
            client.send([self._content.stanza(self.record.send(now_s)) for _ in range(count)])


class Session(threading.Thread):
    """One client of the run. Only its thread uses the client, except `cut`."""

    def __init__(
        self, client: ManagedClient, witness: Witness, now_s: Callable[[], float], outgoing: Outgoing | None = None
    ) -> None:
        """`now_s`: since the start of the run."""
        super().__init__(name=str(witness.jid), daemon=True)
        self.client = client
        """It has sent its greeting, and nothing else."""
        self.witness = witness
        self.outgoing = outgoing
        self.error = ""
        self._now_s = now_s
        self._stopping = threading.Event()
        self._extra = 0
        """Stanzas that are not of its flow, which the server acknowledges too."""

    def stop(self) -> None:
        """Send and receive no more, and end the stream."""
        self._stopping.set()

    def run(self) -> None:
        """Until `stop`."""
        try:
            while not self._stopping.is_set():
                self._turn()
            self.client.close()
        except Exception:
            self.error = traceback.format_exc()

    def _turn(self) -> None:
        outgoing = self.outgoing
        if outgoing is not None:
            outgoing.send(self.client)
        child = self.client.receive(outgoing.pace.pause_s if outgoing is not None else PATIENCE_S)
        if outgoing is not None:
            extra = self._extra + len(self.client.greeting) * (1 + self.client.breaks.new_sessions)
            outgoing.record.acknowledged = max(0, self.client.acknowledged - extra)
        if child is None:
            return
        answer = self.witness.see(child, self._now_s())
        if answer is not None:
            self._extra += 1
            self.client.send([answer])
