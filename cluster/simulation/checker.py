"""Tracks every message: whether it is delivered, once and in order."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from cluster.base.histogram import Histogram, Outcomes
from cluster.simulation.copies import Copies, account_of
from cluster.simulation.report import SimulatedMessages
from cluster.simulation.room_checker import RoomChecker
from cluster.virtual.timeline import NS

MAX_MARKS = 64
"""Recently delivered messages of a flow whose marks are kept, to recognize copies."""
MAX_EXAMPLES = 3
"""Examples kept of each kind of problem."""
Value = TypeVar("Value")


class Ear:
    """What one device, phone or mailbox has got of a flow."""

    __slots__ = ("highest", "marks")

    def __init__(self) -> None:
        self.highest = -1
        """Highest number that arrived."""
        self.marks: OrderedDict[int, bytes] = OrderedDict()
        """Of the last MAX_MARKS messages, by number."""


class Flow:
    """The messages of one device, or of a phone or mailbox, to one account, phone or mailbox."""

    __slots__ = ("bounced", "ears", "is_ordered", "is_over_streams", "number", "sent_ns", "under_way")

    def __init__(self, *, is_ordered: bool, is_over_streams: bool) -> None:
        self.is_ordered = is_ordered
        """It is between two people, and not through a gateway."""
        self.is_over_streams = is_over_streams
        self.number = 0
        """Number of the next message."""
        self.under_way: dict[int, int] = {}
        """Send times of messages that have not arrived, in nanoseconds, by number."""
        self.sent_ns: OrderedDict[int, int] = OrderedDict()
        """Those of the last MAX_MARKS that arrived at one of several devices."""
        self.ears: dict[str, Ear] = {}
        self.bounced: set[int] = set()


class Checker:
    """The promises of a run about its messages.

    A device has a number such as `12.0`, its account `12`, a phone or mailbox `b3`.
    """

    def __init__(self, are_over_streams: Callable[[str, str], bool] = lambda from_, to: False) -> None:
        """`are_over_streams`: whether messages from one account to another go over XML streams between servers."""
        self._are_over_streams = are_over_streams
        self.sent = self.delivered = self.waited = self.bounced = 0
        self.through_gateways = self.bounced_by_gateways = 0
        self.out_of_order = self.misdelivered = self.copies_missing = 0
        self.duplicated = self.duplicated_same_id = self.duplicated_over_streams = 0
        self.examples: list[str] = []
        self.latencies_s = array("d")
        """Latencies of messages that were sent while the receiver was online."""
        self.by_second: dict[int, Outcomes] | None = None
        """The same latencies by the virtual second of sending, and what was lost; None: they are not wanted."""
        self.copies = Copies()
        self.rooms = RoomChecker(self.note)
        self._flows: dict[tuple[str, str], Flow] = {}
        self._noted: dict[str, int] = {}

    def new_id(self, from_: str, to: str, at_ns: int) -> str:
        """Record a new message from a device, phone or mailbox to an account, phone or mailbox; returns its id."""
        flow = self._flows.get((from_, to))
        if flow is None:
            # mails and texts travel over several connections, and in windows
            is_between_people = not (_is_box(from_) or _is_box(to))
            is_over_streams = is_between_people and self._are_over_streams(account_of(from_), to)
            flow = Flow(is_ordered=is_between_people, is_over_streams=is_over_streams)
            self._flows[from_, to] = flow
        number, flow.number = flow.number, flow.number + 1
        flow.under_way[number] = at_ns
        self.sent += 1
        return f"m{from_}-{to}-{number}"

    def arrived(self, id: str, at: str, at_ns: int, there_since_ns: int, mark: bytes) -> str | None:
        """A message arrived at a device, phone or mailbox: returns its sender if nobody else had it before.

        `there_since_ns`: when the session there began; `mark`: by which a copy can be told (`cluster.xmpp.stanza_id`).
        """
        from_, to, number = _parts(id)
        flow = self._flows.get((from_, to))
        if flow is None or to != account_of(at) or number >= flow.number:
            self.misdelivered += 1
            self.note("misdelivered", f"{id} came to {at}")
            return None
        sent_ns = flow.under_way.pop(number, None)
        if sent_ns is not None:
            self.delivered += 1
            self.through_gateways += not flow.is_ordered
            if sent_ns >= there_since_ns:
                self.latencies_s.append((at_ns - sent_ns) / 1e9)
                if self.by_second is not None:
                    self._second(self.by_second, sent_ns).times.add((at_ns - sent_ns) / 1e6)
            else:
                self.waited += 1
            self._expect_copies(id, at, flow, sent_ns, at_ns)
        self.copies.seen(at, id)
        self._hear(flow, id, number, at, mark, is_first=sent_ns is not None)
        return from_ if sent_ns is not None else None

    @staticmethod
    def _second(by_second: dict[int, Outcomes], at_ns: int) -> Outcomes:
        return by_second.setdefault(at_ns // NS, Outcomes(Histogram()))

    def copied(self, id: str, at: str, mark: bytes) -> None:
        """Another device of the sender sees the message."""
        from_, to, number = _parts(id)
        flow = self._flows.get((from_, to))
        if flow is None or account_of(from_) != account_of(at) or from_ == at or number >= flow.number:
            self.misdelivered += 1
            self.note("misdelivered", f"a copy of {id} came to {at}")
            return
        self.copies.seen(at, id)
        self._hear(flow, id, number, at, mark, is_first=False)

    def _expect_copies(self, id: str, at: str, flow: Flow, sent_ns: int, at_ns: int) -> None:
        from_, to, number = _parts(id)
        if not (to in self.copies.devices or account_of(from_) in self.copies.devices):
            return
        _keep(flow.sent_ns, number, sent_ns)
        for device in (at, from_):
            self.copies.expect(
                id, device, sent_ns, at_ns, lambda other: other in flow.ears and number in flow.ears[other].marks
            )

    def _hear(self, flow: Flow, id: str, number: int, at: str, mark: bytes, *, is_first: bool) -> None:
        """Check what one device gets of a flow."""
        ear = flow.ears.get(at)
        if ear is None:
            ear = flow.ears[at] = Ear()
        is_excused = self._may_come_late(flow, number, at)
        if number in flow.bounced and not flow.is_ordered:
            # a server crashed that had passed it on to a gateway, and had not said so: another node returned it
            flow.bounced.remove(number)
            self.note("arrived, though it came back", id)
            _keep(ear.marks, number, mark)
            return
        if number in ear.marks or not (is_first or account_of(at) in self.copies.devices):
            self._hear_again(flow, ear, id, number, mark, is_excused=is_excused)
            return
        if number < ear.highest and flow.is_ordered and not is_excused:
            self.out_of_order += 1
            self.note("out of order", f"{id} came to {at} after number {ear.highest}")
        ear.highest = max(ear.highest, number)
        _keep(ear.marks, number, mark)

    def _hear_again(self, flow: Flow, ear: Ear, id: str, number: int, mark: bytes, *, is_excused: bool) -> None:
        if mark and ear.marks.get(number) == mark:
            if not is_excused:
                self.duplicated_same_id += 1
                self.note("duplicated, same id", id)
        elif flow.is_over_streams:
            self.duplicated_over_streams += 1
            self.note("duplicated over streams", id)
        else:
            self.duplicated += 1
            self.note("duplicated", f"{id} came again, with no id by which it could be told")

    def _may_come_late(self, flow: Flow, number: int, at: str) -> bool:
        account = account_of(at)
        return account in self.copies.devices and self.copies.may_come_late(account, flow.sent_ns.get(number, 0))

    def listens(self, device: str, at_ns: int) -> None:
        """From now on a device gets copies of what its account sends and receives."""
        self.copies.listens(device, at_ns)

    def session_ended(self, device: str, at_ns: int, *, is_orderly: bool) -> None:
        """The session of a device has ended."""
        self._miss(f"{id} at device {device}" for id in self.copies.ended(device, at_ns, is_orderly=is_orderly))

    def _miss(self, what: Iterable[str]) -> None:
        for each in what:
            self.copies_missing += 1
            self.note("copy missing", each)

    def came_back(self, id: str, why: str) -> None:
        """A message came back as an error."""
        from_, to, number = _parts(id)
        flow = self._flows[from_, to]
        if flow.under_way.pop(number, None) is not None:
            flow.bounced.add(number)
            if flow.is_ordered:
                self.bounced += 1
            else:
                self.bounced_by_gateways += 1
            self.note("bounced", f"{id}: {why}")

    @property
    def sent_by_flow(self) -> dict[tuple[int, int], int]:
        """How many messages each person has sent to each other one, by their numbers."""
        found: dict[tuple[int, int], int] = {}
        for (from_, to), flow in self._flows.items():
            if flow.is_ordered:
                ends = int(account_of(from_)), int(to)
                found[ends] = found.get(ends, 0) + flow.number
        return found

    def fates(self) -> dict[tuple[int, int], tuple[set[str], set[str]]]:
        """The ids of the messages that each person has sent to each other one, and of those that arrived."""
        found: dict[tuple[int, int], tuple[set[str], set[str]]] = {}
        for (from_, to), flow in self._flows.items():
            if flow.is_ordered:
                arrived = (
                    each for each in range(flow.number) if each not in flow.under_way and each not in flow.bounced
                )
                ids = found.setdefault((int(account_of(from_)), int(to)), (set(), set()))
                ids[0].update(f"m{from_}-{to}-{number}" for number in range(flow.number))
                ids[1].update(f"m{from_}-{to}-{number}" for number in arrived)
        return found

    @property
    def under_way(self) -> int:
        """Messages that have neither arrived nor come back."""
        return sum(len(flow.under_way) for flow in self._flows.values())

    def lost(self, by_faults: Mapping[str, object]) -> tuple[int, int]:
        """At the end of a run: how many messages are lost, and how many were lost by faults of links."""
        missing = [f"m{from_}-{to}-{number}" for (from_, to), flow in self._flows.items() for number in flow.under_way]
        lost = [id for id in missing if id not in by_faults]
        self._miss(self.copies.missing())
        for id in lost:
            self.note("lost", id)
        if self.by_second is not None:
            for flow in self._flows.values():
                for at_ns in flow.under_way.values():
                    self._second(self.by_second, at_ns).failed += 1
        return len(lost), len(missing) - len(lost)

    def messages(self, lost: int, lost_by_fault: int) -> SimulatedMessages:
        """The counts, with the results of `lost`."""
        return SimulatedMessages(
            sent=self.sent,
            delivered=self.delivered,
            waited=self.waited,
            under_way=self.under_way - lost - lost_by_fault,
            lost=lost,
            lost_by_fault=lost_by_fault,
            bounced=self.bounced,
            out_of_order=self.out_of_order,
            duplicated=self.duplicated,
            duplicated_same_id=self.duplicated_same_id,
            duplicated_over_streams=self.duplicated_over_streams,
            misdelivered=self.misdelivered,
            through_gateways=self.through_gateways,
            copies_missing=self.copies_missing,
            bounced_by_gateways=self.bounced_by_gateways,
        )

    def percentiles_ms(self) -> dict[str, float]:
        """Percentiles of the latencies."""
        if not self.latencies_s:
            return {}
        ordered = sorted(self.latencies_s)
        places = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
        found = {
            name: round(ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000, 3)
            for name, part in places.items()
        }
        return {**found, "max": round(ordered[-1] * 1000, 3)}

    def note(self, what: str, text: str) -> None:
        """Keep an example of a problem, up to MAX_EXAMPLES of a kind."""
        self._noted[what] = self._noted.get(what, 0) + 1
        if self._noted[what] <= MAX_EXAMPLES:
            self.examples.append(f"{what}: {text}")


def _parts(id: str) -> tuple[str, str, int]:
    from_, to, number = id[1:].split("-")
    return from_, to, int(number)


def _is_box(who: str) -> bool:
    """It is a phone or a mailbox."""
    return who.startswith("b")


def _keep(table: OrderedDict[int, Value], number: int, value: Value) -> None:
    """Keep the last MAX_MARKS values."""
    table[number] = value
    if len(table) > MAX_MARKS:
        table.popitem(last=False)
