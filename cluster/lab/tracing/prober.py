"""A probe: a message that every node records, sent from one account to another, and its route."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from secrets import token_hex

import msgspec

from cluster.client.blocking import BlockingClient
from cluster.lab.clients.correspondents import behind_gateways
from cluster.lab.clients.login import explained, password_of
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import LabFolder
from cluster.lab.progress import Tell, untold
from cluster.lab.tracing.journal import journal
from cluster.lab.tracing.waits import Waits
from cluster.lab.wait import pause
from cluster.topology.plan import Plan, ServerNode, XmpplabServer
from cluster.trace.hop import Event, Hop
from cluster.trace.reader import JournalReader
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.extensions.probe import PROBER
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, PROBE
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, make
from cluster.xmpp.streams.login import Login

PATIENCE_S = 10.0
"""A probe that takes longer is stuck on a link, or its server is down."""
WHY_AFTER_S = 0.5
"""Without a fault a probe takes milliseconds: the user is told soon why this one does not."""
READ_TIMEOUT_S = 1.0
"""A Redis that hangs must not delay the reading of the journal."""

LOOK_EVERY_S = 0.02
ANSWER = "This is the answer."
_ARRIVALS = (Event.DELIVERED, Event.STORED)
_FAILURES = (Event.BOUNCED, Event.DROPPED, Event.LOST)


@dataclass(frozen=True)
class Route:
    """The hops of a probe, and its state."""

    hops: list[Hop]
    last_nodes: frozenset[str]
    """The nodes at which such a stanza ends: the servers, or the users of the foreign network that it is for."""
    interrupted: bool = False
    """By Ctrl-C, before it arrived."""
    waits: str = ""
    """Where it waited at the last look, and why; empty if that is not known."""
    back: Route | None = None
    """The route of the answer, if the probe was for a phone or a mailbox of the lab, which answer at once."""

    @property
    def end(self) -> Hop | None:
        """The last hop of a finished probe; None while it is on its way."""
        return next((hop for hop in reversed(self.hops) if self._is_end(hop)), None)

    @property
    def has_arrived(self) -> bool:
        """False also for a probe that was bounced, dropped or lost."""
        return self.end is not None and self.end.event in _ARRIVALS

    @property
    def all_hops(self) -> list[Hop]:
        """Including the answer's."""
        return [*self.hops, *(self.back.hops if self.back else [])]

    def _is_end(self, hop: Hop) -> bool:
        return hop.event in _FAILURES or (hop.event in _ARRIVALS and hop.node in self.last_nodes)


def _last_nodes(plan: Plan, to: Jid) -> frozenset[str]:
    for gateway in plan.gateways:
        if gateway.domain == to.domainpart:
            network = plan.network(gateway.network)
            return frozenset(network.people or {gateway.name})
    return frozenset(server.name for server in plan.servers)


@contextmanager
def prober(
    folder: LabFolder,
    plan: Plan,
    from_: Jid,
    to: Jid,
    password: str,
    *,
    node: str = "",
    with_receiver: bool = True,
    timeout_s: float = PATIENCE_S,
    tell: Tell = untold,
) -> Iterator[Prober]:
    """Log in as `from_`, to send probes to `to`. Raises LabError.

    If `to` is a bare JID of an account whose password the topology has, a second client receives the probes, unless
    `with_receiver` is false: without presence, so that it gets nothing else and nobody sees it. `node`: the node of the
    sender's domain for the login. `tell` gets the place and the cause of a wait, as long as it lasts.
    """
    server = _sending_node(plan, from_, node)
    waits = Waits(folder, plan, server, to)
    waits.check()
    with ExitStack() as stack:
        reader = stack.enter_context(journal(folder, plan, READ_TIMEOUT_S))
        sender = stack.enter_context(_log_in(folder, plan, server, from_, password, timeout_s))
        receiver = None
        if with_receiver and to.is_bare and not waits.stopped_receivers():
            receiver = _receiver(folder, plan, to, timeout_s)
        if receiver is not None:
            stack.enter_context(receiver)
        yield Prober(folder, plan, reader, sender, receiver, to, waits, timeout_s, tell)


def _sending_node(plan: Plan, from_: Jid, name: str) -> ServerNode:
    nodes = [server for server in plan.servers if server.domain == from_.domainpart]
    found = [server for server in nodes if name in ("", server.name)]
    if not found:
        known = ", ".join(server.name for server in nodes)
        raise BadInput(f"{name!r} is not a node of {from_.domainpart} (nodes: {known})")
    return found[0]


@dataclass
class Prober:
    """A client that sends probes and follows each of them; see `prober`."""

    folder: LabFolder
    plan: Plan
    reader: JournalReader
    sender: BlockingClient
    receiver: BlockingClient | None
    to: Jid
    waits: Waits
    timeout_s: float
    tell: Tell

    def send_all(self, body: str, count: int) -> Iterator[Route]:
        """Send `count` probes one after the other, no more per minute than the lab follows, until one is
        interrupted."""
        for number in range(count):
            if number and self.plan.probes_per_minute:
                pause(60 / self.plan.probes_per_minute)
            route = self.send(body)
            yield route
            if route.interrupted:
                return

    def send(self, body: str) -> Route:
        """Send one probe, and follow it to its end, or for `timeout_s`, or until Ctrl-C. Raises LabError."""
        position = self.reader.newest()
        probe = _probe(self.sender.jid, self.receiver.jid if self.receiver else self.to, body)
        sent_utc_ns = time.time_ns()
        self.sender.send(probe.raw, self.timeout_s)
        self._write(_hop(probe, self.sender.jid, Event.SENT, sent_utc_ns))
        self._write_unrecorded(probe, self.sender.jid, Event.RECEIVED, sent_utc_ns, "when is not known")
        route = self._follow(position, probe, self.receiver, _last_nodes(self.plan, self.to), self.waits)
        if not route.has_arrived or route.interrupted:
            return route
        answer = _answer(self.folder, self.plan, probe)
        if answer is None:
            return route
        last_nodes = _last_nodes(self.plan, self.sender.jid)
        return replace(route, back=self._follow(position, answer, self.sender, last_nodes, self.waits.back()))

    def _follow(
        self,
        position: bytes,
        probe: Stanza,
        receiver: BlockingClient | None,
        last_nodes: frozenset[str],
        waits: Waits,
    ) -> Route:
        begun_s = look_s = time.monotonic()
        route = Route([], last_nodes)
        awaited = receiver
        try:
            while time.monotonic() < begun_s + self.timeout_s:
                if awaited is None:
                    pause(LOOK_EVERY_S)
                else:
                    awaited = self._await(awaited, probe)
                route = replace(route, hops=self._read(probe, position, route.hops))
                arrives_yet = awaited is not None and route.end is not None and route.end.event is Event.DELIVERED
                if route.end is not None and not arrives_yet:
                    break
                if time.monotonic() > look_s + WHY_AFTER_S:
                    route = self._why(route, waits)
                    look_s = time.monotonic()
        except KeyboardInterrupt:
            return replace(route, interrupted=True)
        return route

    def _write(self, hop: Hop) -> None:
        from redis import RedisError

        with suppress(RedisError):  # Redis does not answer just now: the route lacks this hop
            self.reader.append(hop)

    def _write_unrecorded(self, probe: Stanza, client: Jid, event: Event, at_utc_ns: int, known: str) -> None:
        """Write the hop at the server of this client, if it is of a kind that records none."""
        server = self.plan.server(client.domainpart)
        if server is not None and not isinstance(server, XmpplabServer):
            detail = f"{known}; {server.kind} records no hops"
            self._write(msgspec.structs.replace(_hop(probe, client, event, at_utc_ns), node=server.name, detail=detail))

    def _read(self, probe: Stanza, position: bytes, before: list[Hop]) -> list[Hop]:
        from redis import RedisError

        try:
            return self.reader.read({probe.trace_id}, position)
        except RedisError:  # Redis does not answer just now: `Waits` reports it
            return before

    def _why(self, route: Route, waits: Waits) -> Route:
        why = waits.why(route.hops)
        if why and why != route.waits:
            self.tell(f"it waits {why}")
        return replace(route, waits=why)

    def _await(self, receiver: BlockingClient, probe: Stanza) -> BlockingClient | None:
        """Look for the probe at its receiver for LOOK_EVERY_S; None if it arrived, or cannot arrive any more."""
        try:
            child = receiver.receive(LOOK_EVERY_S)
        except TimeoutError:
            return receiver
        except OSError:  # its server is gone; the journal has the end of the probe
            return None
        arrived_utc_ns = time.time_ns()
        if child is None:
            return None
        if _probe_id(child) != probe.trace_id:
            return receiver
        arrived = msgspec.structs.replace(probe, raw=child.raw)
        self._write_unrecorded(arrived, receiver.jid, Event.DELIVERED, arrived_utc_ns, "as its client saw")
        self._write(_hop(arrived, receiver.jid, Event.RECEIVED, arrived_utc_ns))
        return None


def _answer(folder: LabFolder, plan: Plan, probe: Stanza) -> Stanza | None:
    """Let the phone or the mailbox of the probe answer; None if the lab has no such user.

    The answer goes to the client that sent the probe, so that no other client gets it.
    """
    assert probe.to is not None
    assert probe.from_ is not None
    found = next((each for each in behind_gateways(plan) if each.jid == probe.to.bare), None)
    if found is None:
        return None
    answer = msgspec.structs.replace(probe, to=probe.from_, from_=probe.to, trace_id=token_hex(8))
    person = found.person(folder, plan)
    person.answer(str(probe.from_), found.gateway.domain, ANSWER, answering=probe.trace_id, trace_id=answer.trace_id)
    return answer


def _receiver(folder: LabFolder, plan: Plan, to: Jid, timeout_s: float) -> BlockingClient | None:
    password = password_of(plan, to)
    if password is None:
        return None
    with suppress(LabError):  # its password was changed: the probe is left to the account's own clients
        return _log_in(folder, plan, _sending_node(plan, to, ""), to, password, timeout_s)
    return None


def _log_in(
    folder: LabFolder, plan: Plan, server: ServerNode, jid: Jid, password: str, timeout_s: float
) -> BlockingClient:
    login = Login(jid.with_resource(f"{PROBER}{token_hex(4)}"), password)
    ca_file = None if server.tls == "off" else str(folder.ca_file)
    with explained(folder, plan, jid):
        return BlockingClient((server.host, server.c2s_port), login, ca_file, timeout_s)


def _probe(from_: Jid, to: Jid, body: str) -> Stanza:
    """The probe as its sender knows it; the XML has no `from`, which the server writes (RFC 6120 section 8.1.2.1)."""
    trace_id = token_hex(8)
    text = Element(f"{{{CLIENT}}}body")
    text.text = body
    payload = [text, Element(f"{{{PROBE}}}probe", id=trace_id)]
    sent = make("message", to=to, id=trace_id, type="chat", payload=payload)
    return msgspec.structs.replace(sent, from_=from_, trace_id=trace_id)


def _hop(probe: Stanza, at: Jid, event: Event, at_utc_ns: int) -> Hop:
    """A hop at an end of the route, named by its account."""
    from_, to = str(probe.from_), str(probe.to)
    return Hop(probe.trace_id, str(at.bare), event, at_utc_ns, probe.kind, from_, to, len(probe.raw))


def _probe_id(child: Slice) -> str | None:
    probe = xml.parse(child.raw).find(f"{{{PROBE}}}probe")
    return None if probe is None else probe.get("id")
