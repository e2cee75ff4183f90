"""The participants of a run: a session for each flow, for each receiving account, and for each bystander.

Bystanders must receive nothing: an account in each domain that is nobody's contact, and a further resource of each
account that takes part, with a negative priority (RFC 6121 section 8.5.2.1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cluster.lab.verify import rooms
from cluster.lab.verify.archive import read_archive
from cluster.lab.verify.content import Content
from cluster.lab.verify.foreign import BoxReceiver, BoxSender, find_box
from cluster.lab.verify.login import available, await_presence, password
from cluster.lab.verify.records import FlowRecord, Leg
from cluster.lab.verify.scenario import Flow, Scenario
from cluster.lab.verify.stage import Part, Stage
from cluster.lab.verify.traffic import Client, Outgoing, Pace, Session
from cluster.lab.verify.witness import Book, Flight, Seat, Witness, joining
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

RECEIVES, STANDS_BY = 1, -1
"""Priorities: messages to an account go to the one session that receives."""


class Cast:
    """All sessions, phones and mailboxes of one run. `parts` are started, stopped and joined by the run."""

    def __init__(self, stage: Stage, scenario: Scenario, now_s: Callable[[], float]) -> None:
        """Log all participants in. Raises LabError."""
        self.book = Book(stage.token())
        self.legs: list[Leg] = []
        self.clients: dict[str, list[Client]] = {}
        """By the accounts of the flows, without bystanders."""
        self.sessions: list[Session] = []
        """Those that take part, without bystanders."""
        self.outgoing: list[Outgoing] = []
        """The flows that are sent."""
        self.parts: list[Part] = []
        self._stage = stage
        self._plan = plan = stage.plan
        self._flows = [flow for flow in scenario.flows if flow.room is None]
        self.seats: dict[str, list[Seat]] = {}
        """Who is in the rooms of the run, by room."""
        self._is_followed = scenario.follow == "all"
        self._now_s = now_s
        self._witnesses: dict[str, Witness] = {}
        self._boxes: dict[str, BoxReceiver] = {}
        self._archives: dict[str, dict[FlowRecord, Leg]] = {}
        self._is_late = False
        self._givers = self._all_givers()
        for account in dict.fromkeys(flow.to for flow in self._flows):
            self._add_receiver(account)
        for index, flow in enumerate(self._flows):
            self._add_flow(index, flow)
        for account in self._accounts:
            self._add_carbons(account)
            self._add_bystander(self._new_jid(account), password(plan, Jid.parse(account)), STANDS_BY)
        for flow in scenario.flows:
            if flow.room is not None:
                self._add_room(flow, Jid.parse(flow.room))
        for domain in dict.fromkeys(Jid.parse(account).domainpart for account in self._accounts):
            account_jid, secret = stage.account(domain)
            self._add_bystander(account_jid.with_resource("bystander"), secret, 0)

    @property
    def has_late(self) -> bool:
        """Whether there are receivers that log in when everything is sent."""
        return any(not flow.online for flow in self._flows)

    def late(self) -> list[Part]:
        """Log in the receivers of stored messages; they are not started yet. Raises LabError."""
        accounts = dict.fromkeys(flow.to for flow in self._flows if not flow.online)
        self._is_late = True
        before = len(self.parts)
        for account in accounts:
            self._log_in(self._witnesses[account], available(RECEIVES))
        return self.parts[before:]

    def waits_for_login(self, leg: Leg) -> bool:
        """Whether the stanzas of this leg are stored until its receiver logs in."""
        index = next(index for index, flight in enumerate(self.book.flights) if flight.record is leg.flow)
        if index >= len(self._flows):
            return False  # a room's
        return not self._is_late and leg.is_first and not self._flows[index].online

    def read_archives(self, since_utc_s: float) -> None:
        """Read the archives, for their legs. Raises LabError."""
        for account, legs in self._archives.items():
            jid = self._new_jid(account)
            client = self._stage.client(jid, password(self._plan, jid), [])
            read_archive(client, jid.bare, self.book, legs, since_utc_s, self._stage.seconds, self._now_s())
            client.close()

    # --- the flows

    def _add_flow(self, index: int, flow: Flow) -> None:
        sender, box = self._sender(flow), find_box(self._plan, flow.from_)
        to = self._address(flow)
        record = FlowRecord(_name(flow), self.book.prefix(index), self._link(sender, to))
        content = Content(flow.kind, record.prefix, to, flow.size, is_followed=self._is_followed)
        flight, first = Flight(record, content, sender), Leg(record)
        self.book.flights.append(flight)
        self.legs.append(first)
        if flow.to in self._boxes:
            self._boxes[flow.to].legs[index] = first
        else:
            self._witnesses[flow.to].expect(index, "direct", first)
        legs = [first]
        if flow.kind == "iq":
            legs.append(Leg(record, "answers", after=first, is_answer=True))
        self.legs += legs[1:]
        outgoing = Outgoing(record, content, Pace(flow, record, legs, self._now_s), self._now_s)
        if box is not None:
            self.outgoing.append(outgoing)
            sender_role = BoxSender(self._stage.box(box), flight, outgoing, self._now_s)
            self.parts.append(self._stage.box_part(sender_role))
        else:
            witness = Witness(self.book, sender, self._givers)
            witness.sends.add(index)
            for leg in legs[1:]:
                witness.expect(index, "answer", leg)
            self._log_in(witness, [], outgoing)
        if flow.archive:
            self._add_archives(flow, record, first)

    def _add_archives(self, flow: Flow, record: FlowRecord, first: Leg) -> None:
        for account, after in ((flow.to, first), (flow.from_, None)):
            if account in self._accounts:
                leg = Leg(record, f"archive of {account}", after, is_archive=True)
                self._archives.setdefault(account, {})[record] = leg
                self.legs.append(leg)

    # --- the rooms

    def _add_room(self, flow: Flow, room: Jid) -> None:
        """Two of its occupants speak in turn, at half of the flow's rate each; all hear both."""
        assert flow.rate is not None  # the scenario was checked
        half = flow.model_copy(update={"rate": flow.rate / 2})
        accounts, served_by = rooms.spread(self._plan, flow.occupants), self._plan.served_by
        server = served_by.get(room.domainpart, room.domainpart)
        spoken: dict[int, tuple[Leg, Content]] = {}
        for number in range(2):
            index, occupant = len(self.book.flights), room.with_resource(f"occupant-{number + 1}")
            record = FlowRecord(
                f"{occupant}", self.book.prefix(index), (Jid.parse(accounts[number]).domainpart, server)
            )
            content = Content("message", record.prefix, room, flow.size, is_followed=self._is_followed, in_room=True)
            self.book.flights.append(Flight(record, content, occupant))
            spoken[index] = Leg(record), content
            self.legs.append(spoken[index][0])
        host = self._host(self._new_jid(accounts[0]), room)
        for number, account in enumerate(accounts):
            self._add_occupant(half, account, room.with_resource(f"occupant-{number + 1}"), number, spoken)
        host.close()

    def _host(self, jid: Jid, room: Jid) -> Client:
        """It holds the room until the others are in it."""
        occupant, seconds = room.with_resource("host"), self._stage.seconds
        client = self._connect(jid, password(self._plan, jid), [*available(STANDS_BY), joining(occupant)])
        if rooms.has_entered(client, seconds, occupant):
            rooms.configure(client, seconds, room)
        return client

    def _add_occupant(
        self, flow: Flow, account: str, occupant: Jid, number: int, spoken: dict[int, tuple[Leg, Content]]
    ) -> None:
        witness = Witness(self.book, self._new_jid(account), self._givers | {str(occupant.bare)})
        witness.seat = Seat(occupant)
        self.seats.setdefault(str(occupant.bare), []).append(witness.seat)
        link = self._link(occupant, witness.jid)
        outgoing = None
        for place, (index, (first, content)) in enumerate(spoken.items()):
            leg = first
            if place == number:
                witness.sends.add(index)
                outgoing = Outgoing(first.flow, content, Pace(flow, first.flow, [first], self._now_s), self._now_s)
            else:
                leg = Leg(first.flow, f"heard by {occupant.resourcepart} ({account})", first, link=link)
                self.legs.append(leg)
            witness.expect(index, "direct", leg)
        session = self._log_in(witness, [*available(STANDS_BY), witness.seat.join], outgoing)
        rooms.has_entered(session.client, self._stage.seconds, occupant)

    def _sender(self, flow: Flow) -> Jid:
        box = find_box(self._plan, flow.from_)
        return self._new_jid(flow.from_) if box is None or flow.from_ in self._accounts else box.jid

    def _address(self, flow: Flow) -> Jid:
        """The address of its stanzas: one session if it has to be that one, otherwise the account."""
        if flow.to in self._boxes:
            return self._boxes[flow.to].client.box.jid
        jid = self._witnesses[flow.to].jid
        return jid if flow.kind != "message" or flow.carbons else jid.bare

    def _link(self, sender: Jid, to: Jid) -> tuple[str, str]:
        served_by = self._plan.served_by
        return (
            served_by.get(sender.domainpart, sender.domainpart),
            served_by.get(to.domainpart, to.domainpart),
        )

    # --- receivers

    def _add_receiver(self, account: str) -> None:
        if account not in self._accounts:
            box = find_box(self._plan, account)
            assert box is not None  # the scenario was checked
            self._boxes[account] = BoxReceiver(self._stage.box(box), self.book, self._now_s)
            self.parts.append(self._stage.box_part(self._boxes[account]))
            return
        witness = self._witnesses[account] = Witness(self.book, self._new_jid(account), self._givers)
        if all(flow.online for flow in self._flows if flow.to == account):
            self._log_in(witness, available(RECEIVES))

    def _add_carbons(self, account: str) -> None:
        """Each sees every message that other resources of the account send and receive."""
        own = [(index, flow) for index, flow in enumerate(self._flows) if account in (flow.from_, flow.to)]
        for _ in range(max(flow.carbons for _, flow in own)):
            witness = Witness(self.book, self._new_jid(account), self._givers)
            for index, flow in own:
                if flow.kind == "message":
                    record = self.book.flights[index].record
                    first = next(leg for leg in self.legs if leg.flow is record and leg.is_first)
                    leg = Leg(record, f"carbon at {witness.jid}", first if flow.to == account else None)
                    witness.expect(index, "carbon", leg)
                    self.legs.append(leg)
            self._log_in(witness, available(STANDS_BY, carbons=True))

    def _add_bystander(self, jid: Jid, secret: str, priority: int) -> None:
        self._start(Witness(self.book, jid, self._givers), secret, available(priority))

    def _log_in(self, witness: Witness, greeting: Sequence[Stanza], outgoing: Outgoing | None = None) -> Session:
        session = self._start(witness, password(self._plan, witness.jid), greeting, outgoing)
        self.clients.setdefault(str(witness.jid.bare), []).append(session.client)
        self.sessions.append(session)
        return session

    def _start(
        self, witness: Witness, secret: str, greeting: Sequence[Stanza], outgoing: Outgoing | None = None
    ) -> Session:
        session = Session(self._connect(witness.jid, secret, greeting), witness, self._now_s, outgoing)
        self.book.sessions.add(str(witness.jid))
        if outgoing is not None:
            self.outgoing.append(outgoing)
        self.parts.append(self._stage.session(session))
        return session

    def _connect(self, jid: Jid, secret: str, greeting: Sequence[Stanza]) -> Client:
        client = self._stage.client(jid, secret, greeting)
        if any(each.kind == "presence" for each in greeting):
            await_presence(client, self._stage.seconds, jid)
        return client

    @property
    def _accounts(self) -> list[str]:
        """The accounts of the lab that take part."""
        known = {f"{each.localpart}@{server.domain}" for server in self._plan.servers for each in server.accounts}
        return list(dict.fromkeys(end for flow in self._flows for end in (flow.from_, flow.to) if end in known))

    def _new_jid(self, account: str) -> Jid:
        return Jid.parse(account).bare.with_resource(f"verify-{self._stage.token()}")

    def _all_givers(self) -> frozenset[str]:
        return frozenset({*self._accounts, *(Jid.parse(account).domainpart for account in self._accounts)})


def _name(flow: Flow) -> str:
    kind = "" if flow.kind == "message" else f" ({flow.kind})"
    return f"{flow.from_} → {flow.to}{kind}"
