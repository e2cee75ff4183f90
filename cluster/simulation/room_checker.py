"""Tracks what is said in rooms: each occupant hears it once, and all of them in the order of the room (XEP-0045).

An occupant hears everything from its first message to its last one. So each message has the same next one for everybody
who hears both, and that is what is checked: one that hears another one next has missed something, or in another order.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable

from cluster.simulation.report import SimulatedRooms

MAX_MARKS = 64
"""Recently heard messages of an occupant whose marks are kept, to recognize copies."""


class Stay:
    """An occupant, from its entrance until it leaves."""

    __slots__ = ("address", "is_over", "last", "marks", "own", "room")

    def __init__(self, room: int, address: str) -> None:
        self.room = room
        self.address = address
        self.is_over = False
        self.last = -1
        """Number of the last message that it heard; -1: none."""
        self.marks: OrderedDict[int, bytes] = OrderedDict()
        self.own: set[int] = set()
        """What it has said and not heard."""


class RoomChecker:
    """The promises of a run about its rooms."""

    def __init__(self, note: Callable[[str, str], None]) -> None:
        """`note` keeps an example of a problem."""
        self.said = self.heard = self.returned = self.lost = 0
        self.out_of_step = self.duplicated = self.duplicated_same_id = self.misdelivered = 0
        self.latencies_s = array("d")
        """Between what an occupant said, and when it heard that itself."""
        self._note = note
        self._stays: dict[Stay, None] = {}
        self._next: dict[int, int] = {}
        self._previous: dict[int, int] = {}
        self._said_ns: dict[int, int] = {}
        """Of what its speaker has not heard."""

    def enters(self, room: int, address: str) -> Stay:
        """A device is an occupant now."""
        stay = Stay(room, address)
        self._stays[stay] = None
        return stay

    def is_over(self, stay: Stay) -> None:
        """It is no occupant any more: nobody knows what became of the last that it said."""
        stay.is_over = True
        self._stays.pop(stay, None)
        for number in stay.own:
            self._said_ns.pop(number, None)
        stay.own.clear()

    def new_id(self, stay: Stay, at_ns: int) -> str:
        """Record what an occupant says; returns its id."""
        number, self.said = self.said, self.said + 1
        stay.own.add(number)
        self._said_ns[number] = at_ns
        return f"g{stay.room}-{number}"

    def hears(self, stay: Stay, id: str, at_ns: int, mark: bytes) -> None:
        """An occupant hears a message."""
        room, number = _parts(id)
        if room != stay.room or number >= self.said:
            self.misdelivered += 1
            self._note("misdelivered", f"{id} came to {stay.address} in room {stay.room}")
        elif number in stay.marks:
            self._hears_again(stay, id, number, mark)
        else:
            self.heard += 1
            if number in stay.own:
                stay.own.remove(number)
                self.latencies_s.append((at_ns - self._said_ns.pop(number)) / 1e9)
            self._follow(stay, number)
            stay.marks[number] = mark
            if len(stay.marks) > MAX_MARKS:
                stay.marks.popitem(last=False)

    def _hears_again(self, stay: Stay, id: str, number: int, mark: bytes) -> None:
        if mark and stay.marks[number] == mark:
            self.duplicated_same_id += 1
            self._note("duplicated in a room, same id", f"{id} at {stay.address}")
        else:
            self.duplicated += 1
            self._note("duplicated in a room", f"{id} came to {stay.address} again")

    def _follow(self, stay: Stay, number: int) -> None:
        last, stay.last = stay.last, number
        if last < 0:
            return
        next, previous = self._next.setdefault(last, number), self._previous.setdefault(number, last)
        if (next, previous) != (number, last):
            self.out_of_step += 1
            others = f"{next} after {last}" if next != number else f"{number} after {previous}"
            self._note("out of step", f"room {stay.room}: {stay.address} heard {number} after {last}, others {others}")

    def came_back(self, id: str, why: str) -> None:
        """The room refused a message."""
        self.returned += 1
        self._note("returned by a room", f"{id}: {why}")
        number = _parts(id)[1]
        self._said_ns.pop(number, None)
        for stay in self._stays:
            stay.own.discard(number)

    def report(self) -> SimulatedRooms:
        """The counts."""
        ordered = sorted(self.latencies_s)
        p99_s = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))] if ordered else 0.0
        return SimulatedRooms(
            said=self.said, heard=self.heard, lost=self.lost, returned=self.returned, out_of_step=self.out_of_step,
            duplicated=self.duplicated, duplicated_same_id=self.duplicated_same_id, misdelivered=self.misdelivered,
            p99_ms=round(p99_s * 1000, 3),
        )  # fmt: skip

    @property
    def under_way(self) -> int:
        """What occupants have said and not heard."""
        return len(self._said_ns)

    def settle(self) -> None:
        """When all has settled: occupants that lack the last messages of their room, and what nobody has heard."""
        for stay in self._stays:
            if stay.last in self._next:
                self.out_of_step += 1
                self._note("out of step", f"room {stay.room}: {stay.address} heard nothing after {stay.last}")
            for number in sorted(stay.own):
                self.lost += 1
                self._note("lost in a room", f"g{stay.room}-{number} of {stay.address}")


def _parts(id: str) -> tuple[int, int]:
    room, _, number = id[1:].partition("-")
    return int(room), int(number)
