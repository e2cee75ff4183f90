"""A flow of messages from senders to receivers, saturated or paced, and its measurement."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

from cluster.xmpp.jid import Jid
from loadtests.bench.cost import Processes
from loadtests.bench.crew import DRAIN_S, Crew, FlowBroken
from loadtests.bench.line import Line

WARM_UP_S = 0.5
"""The first messages open the link between the domains, and fill caches."""
DRAIN_STEP_S = 0.001
"""How often to look whether all have arrived."""
SEED = 3920

_END = b"</message>"
_STAMP = re.compile(rb"<body>(\d+) ")
_ERROR = re.compile(rb"<message[^>]* type=['\"]error")
TEXT = (
    b"But, soft! what light through yonder window breaks? It is the east, and Juliet is the sun. "
    b"Arise, fair sun, and kill the envious moon</body><active xmlns='http://jabber.org/protocol/chatstates'/>"
    b"<request xmlns='urn:xmpp:receipts'/></message>"
)
"""Some 330 bytes in all: what a chat client sends for two lines of text."""


@dataclass(frozen=True)
class Measured:
    """A flow in its steady state."""

    per_s: float
    cpu_us: float
    """Per message, of all processes."""
    load_us: float
    """The same of the load itself."""
    latencies_ms: list[float]
    """From when each was due until its receiver had read it; sorted."""

    def percentile_ms(self, share: float) -> float:
        """The time within which this share of the messages arrived."""
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(share * len(self.latencies_ms)))]


class Flow:
    """Senders and receivers, one to one."""

    def __init__(self, crew: Crew, ends: Sequence[tuple[Line, Line, Jid]], processes: Processes) -> None:
        self._crew = crew
        self._processes = processes
        self._ways = [_Way(self, *each) for each in ends]
        self.sent = 0
        self.delivered = 0
        self.is_full = False
        self.latencies_ns: list[int] = []

    def start(self) -> None:
        """From now on its clients are for this flow only."""
        for way in self._ways:
            way.start()

    def saturated(self, window: int, for_s: float) -> Measured:
        """Each sender always has this number of messages on their way."""
        self.is_full = True
        for way in self._ways:
            way.send([time.monotonic_ns()] * window)
        return self._measured(for_s, None)

    def paced(self, rate: float, for_s: float) -> Measured:
        """Messages per second in all, at random times (a Poisson process), independent of earlier ones."""
        return self._measured(for_s, _Timetable(self._ways, rate))

    def batches(self, senders: int, each: int, more: bytes, count: int, pause_s: float) -> None:
        """`count` times: the next `senders` send `each` messages at once, longer by `more`; all arrive; a pause."""
        ways = cycle(self._ways)
        for _ in range(count):
            for way in islice(ways, senders):
                way.send([time.monotonic_ns()] * each, more)
            self._drain()
            self._crew.rest(pause_s)

    def _measured(self, for_s: float, timetable: _Timetable | None) -> Measured:
        clock = self._processes.clock()  # to look for processes takes time, in which nothing would be sent
        self._go_on(WARM_UP_S, timetable)
        self.latencies_ns.clear()
        delivered, cpu_s, load_s = self.delivered, clock(), time.process_time()
        took_s = self._go_on(for_s, timetable)
        cpu_s, load_s = clock() - cpu_s, time.process_time() - load_s
        delivered = self.delivered - delivered
        latencies_ms = sorted(each / 1e6 for each in self.latencies_ns)
        self._drain()
        if not delivered:
            raise FlowBroken("nothing arrived in time")
        return Measured(delivered / took_s, 1e6 * cpu_s / delivered, 1e6 * load_s / delivered, latencies_ms)

    def _go_on(self, for_s: float, timetable: _Timetable | None) -> float:
        begun_s = time.monotonic()
        while (took_s := time.monotonic() - begun_s) < for_s:
            if timetable is not None:
                timetable.send_due()
            self._crew.serve(timetable.wait_s() if timetable is not None else for_s)
        return took_s

    def _drain(self) -> None:
        self.is_full = False
        until_s = time.monotonic() + DRAIN_S
        while self.delivered < self.sent:
            if time.monotonic() > until_s:
                raise FlowBroken(f"{self.sent - self.delivered} of {self.sent} messages have not arrived")
            self._crew.serve(DRAIN_STEP_S)


class _Way:
    """The messages from one sender to one receiver."""

    def __init__(self, flow: Flow, sender: Line, receiver: Line, to: Jid) -> None:
        self._flow = flow
        self._sender = sender
        self._begin = f"<message type='chat' to='{to}' id='bench'><body>".encode()
        self._rest = b""
        self._receiver = receiver

    def start(self) -> None:
        """Count the arrivals from now on."""
        self._sender.on_data = _refuse_errors
        self._receiver.on_data = self._on_data

    def send(self, due_ns: list[int], more: bytes = b"") -> None:
        """One message for each of these times, with `more` text."""
        begin = self._begin
        self._sender.send(b"".join([b"%b%d %b%b" % (begin, each, more, TEXT) for each in due_ns]))
        self._flow.sent += len(due_ns)

    def _on_data(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        end = data.rfind(_END) + len(_END)
        if end < len(_END):
            self._rest = data
            return
        self._rest = data[end:]
        now_ns = time.monotonic_ns()
        stamps = _STAMP.findall(data, 0, end)
        flow = self._flow
        flow.delivered += len(stamps)
        flow.latencies_ns += [now_ns - int(stamp) for stamp in stamps]
        if flow.is_full:
            self.send([now_ns] * len(stamps))


class _Timetable:
    """The times at which messages are due, and their senders, in turn."""

    def __init__(self, ways: Sequence[_Way], rate: float) -> None:
        self._ways = ways
        self._rate = rate
        self._random = Random(SEED)
        self._next = 0
        self._due_ns = time.monotonic_ns()

    def wait_s(self) -> float:
        """The time until the next one is due."""
        return max(0.0, (self._due_ns - time.monotonic_ns()) / 1e9)

    def send_due(self) -> None:
        """Send what is due now."""
        now_ns = time.monotonic_ns()
        while self._due_ns <= now_ns:
            self._ways[self._next].send([self._due_ns])
            self._next = (self._next + 1) % len(self._ways)
            self._due_ns += int(self._random.expovariate(self._rate) * 1e9)


def _refuse_errors(data: bytes) -> None:
    if _ERROR.search(data):
        raise FlowBroken(f"a message came back: {data[:500]!r}")
