"""Rooms in a run: who is in them, what an occupant has to hear, and whether all heard it in one order."""

from __future__ import annotations

from pathlib import Path

from cluster.lab.verify import rooms
from cluster.lab.verify.content import Content
from cluster.lab.verify.records import FlowRecord, Leg
from cluster.lab.verify.witness import Book, Flight, Seat, Witness
from cluster.xmpp.jid import Jid
from tests.unit.lab.plan import make_plan
from tests.unit.lab.verify.slices import slice_of

ROOM = Jid.parse("verona@conference.montague.lit")
ONE, TWO = ROOM.with_resource("occupant-1"), ROOM.with_resource("occupant-2")
ROMEO, JULIET = Jid.parse("romeo@montague.lit/a"), Jid.parse("juliet@capulet.lit/b")


def test_occupants_are_of_all_domains(tmp_path: Path) -> None:
    assert rooms.spread(make_plan(tmp_path), 3) == ["romeo@montague.lit", "juliet@capulet.lit", "romeo@montague.lit"]


class World:
    """One speaker in a room, of whom ten messages were sent."""

    def __init__(self) -> None:
        self.book = Book("cafe")
        self.record = FlowRecord("occupant-1", self.book.prefix(0))
        self.content = Content("message", self.record.prefix, ROOM, 200, is_followed=False, in_room=True)
        self.book.flights.append(Flight(self.record, self.content, ONE))
        for number in range(10):
            self.record.send(float(number))
        self.leg = Leg(self.record)
        self.witness = Witness(self.book, JULIET, {str(ROOM)})
        self.witness.seat = Seat(TWO)
        self.witness.expect(0, "direct", self.leg)

    def reflected(self, sequence: int, stanza_id: str = "s", more: str = "") -> str:
        """As the room hands it on."""
        raw = self.content.stanza(sequence).raw.decode().replace(f'to="{ROOM}"', f'to="{JULIET}"')
        marks = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o'/>"
        marks += f"<stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='{stanza_id}{sequence}'/>{more}"
        return raw.replace("<message", f'<message from="{ONE}"', 1).replace("</message>", f"{marks}</message>")


def test_what_the_room_reflects_is_what_was_said() -> None:
    world = World()
    delay = f"<delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2023-11-14T22:13:20Z'/>"
    mark = "<delivery xmlns='urn:xmpplab:delivery:0' id=\"{}\"/>"
    world.witness.see(slice_of(world.reflected(3, more=mark.format(1))), 1.0)
    world.witness.see(slice_of(world.reflected(3, more=delay + mark.format(2))), 2.0)  # again, of the history
    world.witness.see(slice_of(world.reflected(4).replace(str(ONE), str(TWO))), 3.0)
    first, again, other = world.leg.arrivals()
    assert (first.sequence, first.difference) == (3, "")
    assert (again.stanza_id, again.difference) == (first.stanza_id, "")
    assert "from is" in other.difference
    assert world.witness.seat is not None
    assert world.witness.seat.heard == [(0, 3), (0, 4)]


def test_who_is_thrown_out_enters_again() -> None:
    world = World()
    gone = f"<presence from='{TWO}' to='{JULIET}' type='unavailable'/>"
    answer = world.witness.see(slice_of(gone), 1.0)
    assert answer is not None
    assert (answer.kind, answer.to, answer.type) == ("presence", TWO, None)
    assert world.witness.see(slice_of(gone.replace(str(TWO), str(ONE))), 1.0) is None


def test_one_order() -> None:
    record = FlowRecord("occupant-1", "cafe.0.")
    seats = [Seat(ONE), Seat(TWO), Seat(ROOM.with_resource("occupant-3"))]
    seats[0].heard = [(0, 0), (1, 0), (0, 1), (1, 1)]
    seats[1].heard = [(0, 0), (0, 1), (1, 1)]  # it missed one, which its leg tells
    seats[2].heard = [(0, 0), (0, 1), (1, 0), (1, 1)]
    report = rooms.order(str(ROOM), [record, record], seats)
    assert report.counts.out_of_order == 1
    [example] = report.examples
    assert "occupant-3 heard it too late" in example.note
