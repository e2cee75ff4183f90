"""Rooms of a run: creates and enters them, and checks at the end that all occupants received messages in one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cluster.lab.errors import LabError
from cluster.lab.verify.login import PATIENCE_S, await_stanza
from cluster.lab.verify.records import FlowRecord
from cluster.lab.verify.report import Counts, Example, FlowReport
from cluster.lab.verify.traffic import Client
from cluster.lab.verify.witness import Seat
from cluster.topology.plan import Plan
from cluster.xmpp.element import Element
from cluster.xmpp.extensions import data_form, muc_status
from cluster.xmpp.extensions.muc import CONFIG, OWNER
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, error_of, make

MAX_EXAMPLES = 3


def spread(plan: Plan, count: int) -> list[str]:
    """`count` accounts, of each domain in turn; accounts repeat if there are fewer."""
    by_domain = [[f"{each.localpart}@{server.domain}" for each in server.accounts] for server in plan.servers]
    turns = max(map(len, by_domain))
    each_once = [accounts[turn] for turn in range(turns) for accounts in by_domain if turn < len(accounts)]
    return [each_once[number % len(each_once)] for number in range(count)]


def has_entered(client: Client, seconds: Callable[[], float], occupant: Jid) -> bool:
    """Wait until the client is in the room as this occupant; True if that created the room. Raises LabError."""
    presence = _await(client, seconds, f"{CLIENT} presence", str(occupant), "to enter")
    return muc_status.CREATED in muc_status.codes(presence.tree)


def configure(client: Client, seconds: Callable[[], float], room: Jid) -> None:
    """Unlock a new room for others, with the longest history. Raises LabError."""
    form = data_form.new("submit", CONFIG)
    data_form.add(form, "muc#maxhistoryfetch", values=["100"])
    query = Element(f"{{{OWNER}}}query")
    query.append(form)
    client.send([make("iq", to=room, id="room", type="set", payload=[query])])
    _await(client, seconds, f"{CLIENT} iq", str(room), "to be configured")


def _await(client: Client, seconds: Callable[[], float], name: str, from_: str, what: str) -> Stanza:
    child = await_stanza(client, seconds, name, from_)
    if child is None:
        raise LabError(f"{from_} took longer than {PATIENCE_S:g} s {what}; see `xmpplab logs`")
    kind, type = ("iq" if name.endswith("iq") else "presence"), child.attributes.get("type")
    stanza = Stanza(kind, None, None, None, type, child.payloads, child.raw)  # type: ignore[arg-type]
    if type == "error":
        raise LabError(f"{from_} cannot be entered: {error_of(stanza)}")
    return stanza


def order(room: str, flows: Sequence[FlowRecord], seats: Sequence[Seat]) -> FlowReport:
    """The messages that an occupant received in another order than the first occupant did."""
    first, *others = seats
    places = {said: place for place, said in enumerate(first.heard)}
    counts = Counts()
    examples: list[Example] = []
    for seat in others:
        highest = -1
        for flow, number in seat.heard:
            place = places.get((flow, number))
            if place is not None and place < highest:
                counts.out_of_order += 1
                if len(examples) < MAX_EXAMPLES:
                    note = f"number {number} of {flows[flow].name}; {seat.occupant.resourcepart} heard it too late"
                    examples.append(Example("out of order", flows[flow].id(number), note))
            highest = max(highest, -1 if place is None else place)
    return FlowReport(f"one order in {room}", counts, examples, is_first=False)
