"""The view of one session of a run: each stanza is an arrival, a bounce, or a misdelivery."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from cluster.lab.verify.content import Content, Expected, Form, difference, difference_of, known_by, stanza_id
from cluster.lab.verify.records import Arrival, FlowRecord, Leg, Misdelivery
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element, SubElement
from cluster.xmpp.extensions.muc import MUC
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, FORWARD
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, error_of, make

CARBONS = "urn:xmpp:carbons:2"
_CARBONS = {(f"{CARBONS} received",), (f"{CARBONS} sent",)}


class Flight:
    """A flow of the run: its record, the content of its stanzas, and its sender."""

    def __init__(self, record: FlowRecord, content: Content, sender: Jid) -> None:
        """`sender`: the full JID of its stanzas; bare for those that come through a gateway."""
        self.record = record
        self.content = content
        self.sender = sender


class Book:
    """The flows of a run, by the ids of their stanzas."""

    def __init__(self, run_id: str) -> None:
        """`run_id` begins all ids, and is in all texts of a flow."""
        self.run_id = run_id
        self.flights: list[Flight] = []
        self.sessions: set[str] = set()
        """Full JIDs of the run's sessions."""
        self.strays: list[str] = []
        """Stanzas between sessions of the run that none of them sent."""
        self._id = re.compile(rf"{run_id}\.(\d+)\.\d+")

    def prefix(self, number: int) -> str:
        """The beginning of this flow's ids."""
        return f"{self.run_id}.{number}."

    def find(self, id: str, raw: bytes) -> tuple[Flight, int] | None:
        """The flow and the number of a stanza by its id, otherwise by its text; None for stanzas of others."""
        known = self._of_id(id)
        if known is None and self.run_id.encode() in raw:
            found = self._id.search(raw.decode("utf-8", "replace"))
            known = self._of_id(found.group()) if found else None
        return known

    def _of_id(self, id: str) -> tuple[Flight, int] | None:
        found = self._id.fullmatch(id)
        if found is None or int(found.group(1)) >= len(self.flights):
            return None
        flight = self.flights[int(found.group(1))]
        sequence = flight.record.sequence(id)
        return None if sequence is None else (flight, sequence)


class Seat:
    """The place of a session in a room: it sits down again when the room says that it is not there any more."""

    def __init__(self, occupant: Jid) -> None:
        self.occupant = occupant
        self.join = joining(occupant)
        self.heard: list[tuple[int, int]] = []
        """What was said, by flow and number, in the order in which it was heard first."""

    def is_lost(self, child: Slice) -> bool:
        """Its own unavailable presence: the room has lost it (XEP-0045 sections 7.14 and 11)."""
        get = child.attributes.get
        is_presence = child.name == f"{CLIENT} presence"
        return is_presence and get("type") == "unavailable" and get("from") == str(self.occupant)


def joining(occupant: Jid) -> Stanza:
    """What enters a room, and asks for all that it still knows of what was said."""
    x = Element(f"{{{MUC}}}x")
    SubElement(x, f"{{{MUC}}}history", maxstanzas="100")
    return make("presence", to=occupant, payload=[x])


class Witness:
    """Judges the stanzas of one session. A bystander has no legs: all flow stanzas are misdeliveries there."""

    def __init__(self, book: Book, jid: Jid, givers: Collection[str]) -> None:
        """`givers`: the addresses that may add a stanza-id or a delay to a message."""
        self.jid = jid
        self.sends: set[int] = set()
        """Flows, by their index in the book, that this session sends."""
        self._book = book
        self._givers = givers
        self._legs: dict[tuple[int, Form], Leg] = {}
        self.seat: Seat | None = None
        """Its place in a room; None: it is in none."""

    def expect(self, flow: int, form: Form, leg: Leg) -> None:
        """Stanzas of this flow must arrive here in this form."""
        self._legs[flow, form] = leg

    def see(self, child: Slice, at_s: float) -> Stanza | None:
        """Judge a stanza; returns the answer to it, if any."""
        form: Form = "carbon" if child.payloads in _CARBONS else "direct"
        get = child.attributes.get
        known = self._book.find(get("id", ""), child.raw)
        if known is None:
            if self.seat is not None and self.seat.is_lost(child):
                return self.seat.join
            self._see_unknown(child)
            return None
        flight, sequence = known
        index = self._book.flights.index(flight)
        kind, type = child.name.rpartition(" ")[2], get("type")
        if index in self.sends and kind == flight.content.kind and type in ("error", "result") and form == "direct":
            if type == "error":
                error = error_of(Stanza(flight.content.kind, None, None, None, type, child.payloads, child.raw))
                flight.record.bounce(sequence, str(error.condition))
                return None
            form = "answer"
        leg = self._legs.get((index, form))
        if leg is None:
            where = f"{self.jid}, in a carbon," if form == "carbon" else str(self.jid)
            flight.record.misdelivered.append(Misdelivery(sequence, where, at_s))
            return None
        # an iq and a presence have no stanza-id: a client recognises a copy by the id that the sender gave it
        number = known_by(child.raw, get("id", ""), flight.sender) if kind == "message" else 1
        if flight.content.in_room:  # the mark of a delivery is another one where the room tells it again
            number = stanza_id(child.raw, with_mark=False)
            if self.seat is not None and not leg.has(sequence):
                self.seat.heard.append((index, sequence))
        leg.arrive(Arrival(sequence, number, at_s, self._difference(child, form, flight, sequence)))
        return _answer(child) if form == "direct" and kind == "iq" and type == "get" else None

    def _difference(self, child: Slice, form: Form, flight: Flight, sequence: int) -> str:
        if form == "answer":
            return difference(child, flight.content.expected_answer(sequence, self.jid), self._givers)
        if flight.content.in_room:
            expected = flight.content.expected_in_room(sequence, flight.sender, self.jid)
            return difference(child, expected, self._givers)
        expected = flight.content.expected(sequence, flight.sender)
        if form == "carbon":
            return self._carbon_difference(child, expected, flight)
        if flight.sender.is_bare:
            return text_difference(xml.parse(child.raw), expected)
        return difference(child, expected, self._givers)

    def _carbon_difference(self, child: Slice, expected: Expected, flight: Flight) -> str:
        """How it differs from a valid carbon (XEP-0280 sections 7 and 8)."""
        tree = xml.parse(child.raw)
        header = {"from": str(self.jid.bare), "to": str(self.jid)}
        found = [f"{name} of the carbon is {tree.get(name)!r}" for name in header if tree.get(name) != header[name]]
        inner = forwarded(tree[0])
        if inner is None:
            return "; ".join([*found, "it forwards nothing"])
        inside = text_difference(inner, expected) if flight.sender.is_bare else None
        found.append(difference_of(inner, expected, self._givers) if inside is None else inside)
        return "; ".join(filter(None, found))

    def _see_unknown(self, child: Slice) -> None:
        """Stanzas of others are ignored; but between sessions of the run there must be no others."""
        get = child.attributes.get
        is_ours = self._book.run_id.encode() in child.raw
        from_session = get("from") in self._book.sessions and not child.name.endswith(" presence")
        if is_ours or from_session:
            kind = child.name.rpartition(" ")[2]
            self._book.strays.append(f"{self.jid} got a {kind} from {get('from')} that was never sent: {get('id')}")


def forwarded(element: Element) -> Element | None:
    """The message within an element that forwards one (XEP-0297)."""
    return element.find(f"{{{FORWARD}}}forwarded/{{{CLIENT}}}message")


def text_difference(tree: Element, expected: Expected) -> str:
    """How a message through a gateway differs: only its sender and its text are the original's."""
    found = []
    sender = tree.get("from", "").partition("/")[0]
    if tree.tag != f"{{{CLIENT}}}message" or tree.get("type") == "error":
        found.append(f"it is {xml.split(tree.tag)[1]} of type {tree.get('type')}")
    if sender != expected.from_:
        found.append(f"from is {sender!r}, not {expected.from_!r}")
    wanted = xml.parse(b"<message>" + expected.payload + b"</message>")
    seen, body = (xml.text_of(each, f"{{{CLIENT}}}body") or "" for each in (tree, wanted))
    return "; ".join([*found, *words_difference(seen, body)])


def words_difference(seen: str, wanted: str) -> Sequence[str]:
    """How a text differs; the network may add text around it."""
    if seen.strip() == wanted:
        return ()
    return ("body is empty",) if not seen.strip() else (f"body was altered: {seen.strip()[:60]!r}",)


def _answer(request: Slice) -> Stanza:
    """The result, with the request's content (RFC 6120 section 8.2.3). Its server writes the `from`."""
    tree = xml.parse(request.raw)
    requester = tree.attrib.pop("from", "")
    tree.set("to", requester)
    tree.set("type", "result")
    return Stanza("iq", Jid.parse(requester), None, tree.get("id"), "result", (), xml.serialize(tree))
