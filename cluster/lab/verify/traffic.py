"""The clients of a run: a sender for each flow, a receiver for each account that is written to; a thread each."""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import quoteattr

from cluster.client.managed import ManagedClient
from cluster.lab.verify.records import Arrival, FlowRecord
from cluster.lab.verify.scenario import Flow
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, HINTS, PROBE
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, error_of

MAX_BURST = 100
"""So many messages are written at once by a sender that is behind, before it reads what came in."""

PATIENCE_S = 0.05
"""A client that has nothing to do looks this often whether it is to end."""

SHORTEST_WAIT_S = 0.0002
_MESSAGE = f"{CLIENT} message"
_ID = re.compile(rb"<(?:[^\s<>/:]+:)?(?:stanza-id|delivery)\s[^>]*>")
_UNARCHIVED = f"<no-permanent-store xmlns='{HINTS}'/>"
"""The accounts are the lab's: what is sent to test a network is not to fill their archives (XEP-0334 section 4.1)."""
_ID_OR_BY = re.compile(rb"""\s(id|by)\s*=\s*["']([^"']*)""")


class Sender(threading.Thread):
    """Sends one flow, and keeps on listening for what comes back."""

    def __init__(
        self, flow: Flow, record: FlowRecord, client: ManagedClient, now_s: Callable[[], float], is_followed: bool
    ) -> None:
        """`now_s`: since the start of the run. `is_followed`: each message asks to have its hops recorded."""
        super().__init__(name=record.name, daemon=True)
        self.record = record
        self.client = client
        self.error = ""
        self._flow = flow
        self._now_s = now_s
        self._is_followed = is_followed
        self._to = Jid.parse(flow.to)
        self._body = b"x" * max(0, flow.size - len(self._raw(0, b"")))
        self._stopping = threading.Event()

    @property
    def is_done(self) -> bool:
        """All is sent, and acknowledged."""
        return self._is_over() and self.record.acknowledged >= len(self.record.sent_s)

    def stop(self) -> None:
        """Send no more, and end the stream."""
        self._stopping.set()

    def run(self) -> None:
        """Until `stop`."""
        try:
            while not self._stopping.is_set():
                self._send(min(self._due(), MAX_BURST))
                self._listen()
            self.client.close()
        except Exception:
            self.error = traceback.format_exc()

    def _due(self) -> int:
        """How many messages are to be sent now."""
        rate, sent = self._flow.rate, len(self.record.sent_s)
        if rate is None:
            return 0 if self._is_over() else max(0, self._flow.window - self.record.unsettled)
        passed_s = min(self._now_s(), self._flow.duration)
        return min(int(passed_s * rate) + 1, round(self._flow.duration * rate)) - sent

    def _is_over(self) -> bool:
        if self._flow.rate is None:
            return self._now_s() >= self._flow.duration
        return len(self.record.sent_s) >= round(self._flow.duration * self._flow.rate)

    def _send(self, count: int) -> None:
        if count > 0:
            now_s = self._now_s()
            numbers = [self.record.send(now_s) for _ in range(count)]
            self.client.send([self._message(number) for number in numbers])

    def _message(self, sequence: int) -> Stanza:
        id = self.record.id(sequence)
        return Stanza("message", self._to, None, id, "chat", (), self._raw(sequence, self._body))

    def _raw(self, sequence: int, body: bytes) -> bytes:
        id = self.record.id(sequence)
        probe = f"<probe xmlns='{PROBE}' id='{id}'/>" if self._is_followed else ""
        begin = f"<message to={quoteattr(str(self._to))} type='chat' id='{id}'><body>{sequence} "
        return begin.encode() + body + f"</body>{_UNARCHIVED}{probe}</message>".encode()

    def _listen(self) -> None:
        timeout_s = PATIENCE_S
        if self._flow.rate is not None and not self._is_over():
            due_s = len(self.record.sent_s) / self._flow.rate
            timeout_s = min(PATIENCE_S, due_s - self._now_s())
        elif self._flow.rate is None and not self._is_over():
            timeout_s = SHORTEST_WAIT_S
        child = self.client.receive(max(timeout_s, SHORTEST_WAIT_S))
        self.record.acknowledged = self.client.acknowledged
        if child is not None and child.name == _MESSAGE and child.attributes.get("type") == "error":
            self._on_error(child)

    def _on_error(self, child: Slice) -> None:
        sequence = self.record.sequence(child.attributes.get("id", ""))
        if sequence is not None:
            get = child.attributes.get
            error = error_of(Stanza("message", None, None, get("id"), "error", child.payloads, child.raw))
            self.record.bounce(sequence, str(error.condition))


class Receiver(threading.Thread):
    """Takes in what is for one account, of whichever flow."""

    def __init__(self, client: ManagedClient, records: Sequence[FlowRecord], now_s: Callable[[], float]) -> None:
        super().__init__(name=f"receiver {records[0].name}", daemon=True)
        self.client = client
        self.error = ""
        self._records = records
        self._now_s = now_s
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Take in no more, and end the stream."""
        self._stopping.set()

    def run(self) -> None:
        """Until `stop`."""
        try:
            while not self._stopping.is_set():
                child = self.client.receive(PATIENCE_S)
                if child is not None and child.name == _MESSAGE:
                    self._on_message(child.attributes, child.raw)
            self.client.close()
        except Exception:
            self.error = traceback.format_exc()

    def _on_message(self, attributes: Mapping[str, str], raw: bytes) -> None:
        if attributes.get("type") == "error":
            return
        id = attributes.get("id", "")
        for record in self._records:
            if (sequence := record.sequence(id)) is not None:
                record.arrive(Arrival(sequence, stanza_id(raw), self._now_s()))


def stanza_id(raw: bytes) -> int:
    """Stands for the ids by which servers know the message (router/stanza_id.py), however they are written; 0: none."""
    tags = _ID.findall(raw)
    return hash(frozenset(tuple(sorted(_ID_OR_BY.findall(tag))) for tag in tags)) if tags else 0
