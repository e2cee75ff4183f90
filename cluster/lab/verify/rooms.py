"""Rooms of a run: they are made if need be and entered, and at the end compared: all hear the same in one order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from secrets import token_hex

from cluster.client.managed import ManagedClient
from cluster.lab.errors import LabError
from cluster.lab.verify.records import FlowRecord
from cluster.lab.verify.report import Counts, Example, FlowReport
from cluster.lab.verify.witness import Seat
from cluster.topology.plan import Plan
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions import data_form
from cluster.xmpp.extensions.muc import CONFIG, OWNER, USER
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT
from cluster.xmpp.stanza import Stanza, error_of, make

PATIENCE_S = 20.0
LOOK_EVERY_S = 0.05
CREATED = "201"
MAX_EXAMPLES = 3


def spread(plan: Plan, count: int) -> list[str]:
    """So many accounts, of each domain in turn; some again where there are fewer."""
    by_domain = [[f"{each.localpart}@{server.domain}" for each in server.accounts] for server in plan.servers]
    turns = max(map(len, by_domain))
    each_once = [accounts[turn] for turn in range(turns) for accounts in by_domain if turn < len(accounts)]
    return [each_once[number % len(each_once)] for number in range(count)]


def has_entered(client: ManagedClient, occupant: Jid) -> bool:
    """Returns when the client is in the room as this occupant: whether it has made it. Raises LabError."""
    presence = _await(client, f"{CLIENT} presence", str(occupant), "to enter")
    codes = {each.get("code") for each in xml.parse(presence.raw).iter(f"{{{USER}}}status")}
    return CREATED in codes


def configure(client: ManagedClient, room: Jid) -> None:
    """Let others in, with as long a history as there is. Raises LabError."""
    form = data_form.new("submit", CONFIG)
    data_form.add(form, "muc#maxhistoryfetch", values=["100"])
    query = Element(f"{{{OWNER}}}query")
    query.append(form)
    client.send([make("iq", to=room, id=f"room-{token_hex(4)}", type="set", payload=[query])])
    _await(client, f"{CLIENT} iq", str(room), "to be configured")


def _await(client: ManagedClient, name: str, from_: str, what: str) -> Stanza:
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        child = client.receive(LOOK_EVERY_S)
        if child is None or child.name != name or child.attributes.get("from") != from_:
            continue
        kind, type = ("iq" if name.endswith("iq") else "presence"), child.attributes.get("type")
        stanza = Stanza(kind, None, None, None, type, child.payloads, child.raw)  # type: ignore[arg-type]
        if type == "error":
            raise LabError(f"{from_} cannot be entered: {error_of(stanza)}")
        return stanza
    raise LabError(f"{from_} took longer than {PATIENCE_S:g} s {what}; see `xmpplab logs`")


def order(room: str, flows: Sequence[FlowRecord], seats: Sequence[Seat]) -> FlowReport:
    """What each heard in another place of the order than the first occupant did."""
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
