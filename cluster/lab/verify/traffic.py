"""The sessions of a run: each sends a flow, receives stanzas, or is a bystander."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from cluster.client.managed import Breaks
from cluster.lab.verify.content import Content
from cluster.lab.verify.records import FlowRecord, Leg
from cluster.lab.verify.scenario import Flow
from cluster.lab.verify.witness import Witness
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza

MAX_BURST = 100
"""Stanzas that a late sender writes at once before it reads its input."""

PATIENCE_S = 0.05
"""How often an idle client checks whether it is to end."""

SHORTEST_WAIT_S = 0.0002


class Client(Protocol):
    """A client on a managed stream (XEP-0198) that reconnects by itself."""

    breaks: Breaks
    greeting: Sequence[Stanza]
    """What it sends first in each new session."""

    @property
    def acknowledged(self) -> int:
        """How many of its stanzas the server has handled, greetings included; always the first ones."""

    def send(self, stanzas: Sequence[Stanza]) -> None:
        """Send them now, or when the connection is back."""

    def receive(self, timeout_s: float) -> Slice | None:
        """The next stanza; None if none came in time."""

    def cut(self, away_s: float = 0.0) -> None:
        """Break the connection, and do not reconnect for this time."""

    def close(self) -> None:
        """End the stream."""


class Pace:
    """The times at which the stanzas of a flow are due."""

    def __init__(self, flow: Flow, record: FlowRecord, legs: Sequence[Leg], now_s: Callable[[], float]) -> None:
        """`now_s`: since the start of the run."""
        self._flow = flow
        self._count = flow.count
        self._record = record
        self._legs = legs
        self._now_s = now_s

    @property
    def is_over(self) -> bool:
        """Whether nothing more is due, now or later."""
        if self._count is None:
            return self._now_s() >= self._flow.duration
        return len(self._record.sent_s) >= self._count

    @property
    def due(self) -> int:
        """The number of stanzas to send now."""
        sent = len(self._record.sent_s)
        if self._flow.rate is None or self._count is None:
            return 0 if self.is_over else max(0, self._flow.window - max(leg.unsettled for leg in self._legs))
        passed_s = min(max(0.0, self._now_s()), self._flow.duration)
        return min(int(passed_s * self._flow.rate) + 1, self._count) - sent

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

    def send(self, client: Client) -> None:
        """Send what is due now."""
        count = min(self.pace.due, MAX_BURST)
        if count > 0:
            now_s = self._now_s()
            client.send([self._content.stanza(self.record.send(now_s)) for _ in range(count)])


class Session:
    """What one session of the run does with its client."""

    def __init__(
        self, client: Client, witness: Witness, now_s: Callable[[], float], outgoing: Outgoing | None = None
    ) -> None:
        """`client`: it has sent its greeting, and nothing else; `now_s`: since the start of the run."""
        self.client = client
        self.witness = witness
        self.outgoing = outgoing
        self._now_s = now_s
        self._extra = 0
        """Stanzas that are not of its flow, which the server acknowledges too."""

    @property
    def pause_s(self) -> float:
        """The time until the next stanza may be due; at most PATIENCE_S."""
        return PATIENCE_S if self.outgoing is None else self.outgoing.pace.pause_s

    def send(self) -> None:
        """Send what is due now."""
        if self.outgoing is not None:
            self.outgoing.send(self.client)

    def count(self) -> None:
        """Note how much of its flow the server has acknowledged."""
        if self.outgoing is not None:
            extra = self._extra + len(self.client.greeting) * (1 + self.client.breaks.new_sessions)
            self.outgoing.record.acknowledged = max(0, self.client.acknowledged - extra)

    def take(self, child: Slice) -> None:
        """Judge a stanza that arrived, and answer a request."""
        answer = self.witness.see(child, self._now_s())
        if answer is not None:
            self._extra += 1
            self.client.send([answer])
