"""The flows of `make bench` in virtual time: plain clients in one process send messages to others, in pairs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from random import Random

from twisted.internet.defer import Deferred

from cluster.lab.api import read_plans
from cluster.simulation.costs import LOCAL, Costs
from cluster.simulation.lab import SimulatedLab
from cluster.simulation.line import Line, Single
from cluster.topology.plan import Plan, ServerNode
from cluster.virtual.host import Host
from cluster.virtual.timeline import NS
from cluster.xmpp.jid import Jid
from cluster.xmpp.streams.login import Login

LOAD = "load"
"""The process of all clients."""
LOGIN_EVERY_S = 0.02
WARM_UP_S = 0.5
STEP_S = 0.01
_END = b"</message>"
_STAMP = re.compile(rb"<body>(\d+) ")


@dataclass(frozen=True)
class InTime:
    """A flow in its steady state."""

    per_s: float
    messages: int
    cpu_us: dict[str, float]
    """Per message, of each process."""
    steps: dict[str, dict[str, float]]
    """What each process did in all."""
    seconds: float
    latencies_ms: list[float]
    """Sorted."""

    def percentile_ms(self, share: float) -> float:
        """The time within which this share of the messages arrived."""
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(share * len(self.latencies_ms)))]


def pair_plan(folder: Path, domains: Sequence[str], names: Sequence[Sequence[str]]) -> Plan:
    """Two servers of these domains, as those of `make bench`, each with accounts of these names."""
    topology = {
        "name": "bench",
        "servers": {f"s{number}": {"domain": domain} for number, domain in enumerate(domains, 1)},
        "defaults": {"tls": "optional"},
        "accounts": {f"{name}@{domain}": {} for domain, of in zip(domains, names, strict=True) for name in of},
    }
    file = folder / "simulated.yaml"
    file.write_text(json.dumps(topology))  # JSON is YAML
    return read_plans(file)[0]


class _Ways:
    """Who sends to whom, and what has arrived."""

    def __init__(
        self, lab: SimulatedLab, ends: Sequence[tuple[Line, Line, Jid]], text: bytes, count: Callable[[int], None]
    ) -> None:
        """`count`: is told how many messages are sent or received."""
        self.sent = self.delivered = 0
        self.latencies_ns: list[int] = []
        self.is_full = False
        self.on_all: Callable[[], object] = lambda: None
        """Called when all that was sent has arrived."""
        self._lab = lab
        self._text = text
        self._ends = ends
        self._count = count
        for number, (_, receiver, _) in enumerate(ends):
            receiver.on_data = _Hearer(self, number).hear

    def __len__(self) -> int:
        return len(self._ends)

    def send(self, number: int, count: int, due_ns: int | None = None) -> None:
        """Messages that were due at this time; None: now."""
        sender, _, to = self._ends[number]
        due_ns = self._lab.timeline.now_ns if due_ns is None else due_ns
        begin = f"<message type='chat' to='{to}' id='bench'><body>{due_ns}".encode()
        sender.transport.write((begin + self._text) * count)
        self.sent += count
        self._count(count)

    def send_all(self, each: int) -> None:
        """Each sender sends this number of messages."""
        for number in range(len(self._ends)):
            self.send(number, each)

    def arrived(self, number: int, stamps: list[bytes]) -> None:
        """Messages have arrived."""
        now_ns = self._lab.timeline.now_ns
        self.delivered += len(stamps)
        self._count(len(stamps))
        self.latencies_ns += [now_ns - int(stamp) for stamp in stamps]
        if self.is_full:
            self.send(number, len(stamps))
        elif self.delivered == self.sent:
            self.on_all()


class _Hearer:
    def __init__(self, ways: _Ways, number: int) -> None:
        self._ways = ways
        self._number = number
        self._rest = b""

    def hear(self, data: bytes) -> None:
        data = self._rest + data
        end = data.rfind(_END) + len(_END)
        self._rest = data[end:] if end >= len(_END) else data
        if end >= len(_END):
            self._ways.arrived(self._number, _STAMP.findall(data, 0, end))


class _Timetable:
    """The times at which messages are due, whether or not the process is late; the senders in turn."""

    def __init__(self, host: Host, ways: _Ways, rate: float, chance: Random) -> None:
        self._host = host
        self._ways = ways
        self._rate = rate
        self._chance = chance
        self._next = 0
        self._due_s = host.seconds()
        self._timer = host.callLater(0, self._send_due)

    def _send_due(self) -> None:
        now_s = self._host.seconds()
        while self._due_s <= now_s:
            self._ways.send(self._next % len(self._ways), 1, int(self._due_s * NS))
            self._next += 1
            self._due_s += self._chance.expovariate(self._rate)
        self._timer = self._host.callLater(self._due_s - now_s, self._send_due)

    def stop(self) -> None:
        """Send no more."""
        self._timer.cancel()


class SimulatedPair:
    """The servers of a plan, with clients in one process that load them."""

    def __init__(self, plan: Plan, costs: Costs, seed: int = 1) -> None:
        self.lab = lab = SimulatedLab(plan, seed, router="redis", costs=costs)
        assert lab.machines is not None
        self._machines = lab.machines
        self._host = lab.network.host(LOAD)
        self._messages = 0
        self._machines.clients(self._host, lambda: self._messages)
        self._chance = Random(f"{seed} load")
        for node in plan.ours:
            lab.network.join(LOAD, node.name, LOCAL)
        started = Deferred.fromCoroutine(lab.start())
        self._go_on(1.0)
        assert started.called

    def log_in(self, accounts: Sequence[tuple[ServerNode, str]], greeting: bytes, *, tls: bool) -> list[Line]:
        """Log these accounts in, one after the other."""
        lines = []
        for server, localpart in accounts:
            login = Login(Jid(localpart, server.domain, "bench"), "secret", in_clear=not tls)
            line = Line(login, lambda: f"{self._chance.getrandbits(128):032x}", greeting)
            self._host.connectTCP(server.name, server.c2s_port, Single(line))
            self._go_on(LOGIN_EVERY_S)
            lines.append(line)
        self._until(lambda: all(line.is_open for line in lines), "the clients are logged in")
        return lines

    def steps(self) -> dict[str, dict[str, float]]:
        """What each process did so far."""
        return self._machines.did()

    def rest(self, for_s: float) -> None:
        """Let time pass."""
        self._go_on(for_s)

    def batches(
        self, ends: Sequence[tuple[Line, Line, Jid]], text: bytes, senders: int, each: int, count: int, pause_s: float
    ) -> InTime:  # fmt: skip
        """`count` times: the next `senders` send `each` messages at once; when all have arrived, a pause."""
        ways = _Ways(self.lab, ends, text, self._count)
        left, numbers = [None] * count, cycle(range(len(ends)))

        def begin() -> None:
            if left:
                left.pop()
                for number in islice(numbers, senders):
                    ways.send(number, each)
            else:
                ways.on_all = lambda: None

        def run() -> None:
            ways.on_all = partial(self._host.callLater, pause_s, begin) if pause_s else begin
            self._host.callLater(0, begin)
            self._until(lambda: not left and ways.delivered == ways.sent, "all batches have arrived")

        return self._measured(ways, run)

    def paced(self, ends: Sequence[tuple[Line, Line, Jid]], text: bytes, rate: float, for_s: float) -> InTime:
        """Messages per second in all, at random times (a Poisson process)."""
        ways = _Ways(self.lab, ends, text, self._count)
        timetable = _Timetable(self._host, ways, rate, self._chance)
        self._go_on(WARM_UP_S)
        measured = self._measured(ways, lambda: self._go_on(for_s))
        timetable.stop()
        self._until(lambda: ways.delivered == ways.sent, "all messages have arrived")
        return measured

    def saturated(self, ends: Sequence[tuple[Line, Line, Jid]], text: bytes, window: int, for_s: float) -> InTime:
        """Each sender always has this number of messages on their way."""
        ways = _Ways(self.lab, ends, text, self._count)
        ways.is_full = True
        self._host.callLater(0, ways.send_all, window)
        self._go_on(WARM_UP_S)
        measured = self._measured(ways, lambda: self._go_on(for_s))
        ways.is_full = False
        self._until(lambda: ways.delivered == ways.sent, "all messages have arrived")
        return measured

    def _measured(self, ways: _Ways, run: Callable[[], None]) -> InTime:
        ways.latencies_ns.clear()
        delivered, cpu_s, steps = ways.delivered, self._machines.cpu_s(), self.steps()
        began_ns = self.lab.timeline.now_ns
        run()
        seconds = (self.lab.timeline.now_ns - began_ns) / NS
        delivered = max(1, ways.delivered - delivered)
        used = {name: 1e6 * (after - cpu_s[name]) / delivered for name, after in self._machines.cpu_s().items()}
        latencies_ms = sorted(each / 1e6 for each in ways.latencies_ns)
        return InTime(delivered / seconds, delivered, used, difference(self.steps(), steps), seconds, latencies_ms)

    def _count(self, messages: int) -> None:
        self._messages += messages

    def _go_on(self, for_s: float) -> None:
        self.lab.timeline.run(self.lab.timeline.now_ns + int(for_s * NS))

    def _until(self, is_done: Callable[[], bool], what: str, step_s: float = STEP_S) -> None:
        for _ in range(int(60 / step_s)):
            if is_done():
                return
            self._go_on(step_s)
        raise AssertionError(f"not within a minute: {what}")


def difference(
    after: Mapping[str, Mapping[str, float]], before: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """The steps between two times."""
    return {name: {step: count - before[name][step] for step, count in steps.items()} for name, steps in after.items()}
