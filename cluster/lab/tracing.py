"""A probe: a message that every node records, sent from one account to another, and its route."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from secrets import token_hex

import msgspec

from cluster.client.blocking import BlockingClient
from cluster.gateways.mail.quoted import quote
from cluster.lab.ask import ask
from cluster.lab.errors import BadInput, LabError
from cluster.lab.folder import ADMIN, LabFolder
from cluster.lab.login import log_in, password_of
from cluster.lab.redis_client import connected
from cluster.lab.wait import pause
from cluster.redisio.keys import Keys
from cluster.topology.plan import Plan
from cluster.trace.hop import Event, Hop
from cluster.trace.reader import JournalReader
from cluster.trace.render import RECEIVER, SENDER
from cluster.xmpp import element as xml
from cluster.xmpp.element import Element
from cluster.xmpp.escaping import unescape
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import CLIENT, PROBE
from cluster.xmpp.parser import Slice
from cluster.xmpp.stanza import Stanza, make

PATIENCE_S = 10.0
"""A probe that is not at its end by then is stuck on a link, or its server is down."""

LOOK_EVERY_S = 0.02
ANSWER = "This is the answer."
_ARRIVALS = (Event.DELIVERED, Event.STORED)
_FAILURES = (Event.BOUNCED, Event.DROPPED, Event.LOST)


@contextmanager
def journal(folder: LabFolder, plan: Plan) -> Iterator[JournalReader]:
    """The lab's journal, to read. Raises LabError."""
    with connected(folder.secrets()[ADMIN]) as redis:
        yield JournalReader(redis, Keys.of_lab(plan.name))


def first_pair(plan: Plan) -> tuple[Jid, Jid]:
    """The first account with a contact in another domain to which a link leads, and that contact. Raises BadInput."""
    for server in plan.servers:
        for account in server.accounts:
            for contact in account.contacts:
                to = Jid.parse(contact.jid)
                if to.domainpart != server.domain and server.is_joined_to(to.domainpart):
                    return Jid(account.localpart, server.domain), to
    raise BadInput("no account of this topology has a contact in another domain; give one to `accounts`")


def first_phone(plan: Plan) -> Jid | None:
    """The first phone of the lab, as XMPP knows it; None without one."""
    for gateway in plan.gateways:
        for number in plan.network(gateway.network).phones.values():
            return Jid(number, gateway.domain)
    return None


@dataclass(frozen=True)
class Route:
    """Where a probe was seen."""

    hops: list[Hop]
    last_nodes: frozenset[str]
    """Where the way of such a stanza ends: the servers, or what lies behind the gateway that it is for."""
    back: Route | None = None
    """The way of the answer, where the probe was for a phone or a mailbox of the lab: those answer by themselves."""

    @property
    def end(self) -> Hop | None:
        """Where it came to rest; None while it is on its way."""
        return next((hop for hop in reversed(self.hops) if self._is_end(hop)), None)

    def _is_end(self, hop: Hop) -> bool:
        return hop.event in _FAILURES or (hop.event in _ARRIVALS and hop.node in self.last_nodes)


def _last_nodes(plan: Plan, to: Jid) -> frozenset[str]:
    for gateway in plan.gateways:
        if gateway.domain == to.domainpart:
            network = plan.network(gateway.network)
            return frozenset({*network.phones, *network.mailboxes} or {gateway.name})
    return frozenset(server.name for server in plan.servers)


def send_probe(folder: LabFolder, plan: Plan, from_: Jid, to: Jid, password: str, body: str) -> Route:
    """Log in as `from_`, send a probe to `to`, and follow it to its end, or for PATIENCE_S.

    Where `to` is a bare JID of an account whose password the topology knows, a client of our own receives the probe:
    without presence, so that it gets nothing else and nobody sees it. Raises LabError.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(journal(folder, plan))
        position = reader.newest()
        sender = stack.enter_context(log_in(folder, plan, _own_resource(from_), password))
        receiver = _receiver(folder, plan, to)
        if receiver is not None:
            stack.enter_context(receiver)
            to = receiver.jid
        probe = _probe(sender.jid, to, body)
        sent_utc_ns = time.time_ns()
        sender.send(probe.raw)
        reader.append(_hop(probe, SENDER, Event.SENT, sent_utc_ns))
        route = _follow(reader, position, probe, receiver, _last_nodes(plan, to))
        answer = _answer(folder, plan, probe) if route.end and route.end.event in _ARRIVALS else None
        if answer is None:
            return route
        return replace(route, back=_follow(reader, position, answer, sender, _last_nodes(plan, sender.jid), SENDER))


def _answer(folder: LabFolder, plan: Plan, probe: Stanza) -> Stanza | None:
    """Have the phone or the mailbox that the probe was for answer it; None where it was for none of the lab.

    The answer goes to the very client that sent the probe, so that nothing of it is left for another one.
    """
    assert probe.to is not None
    for gateway in plan.gateways:
        network = plan.network(gateway.network)
        address = unescape(probe.to.localpart)
        if gateway.domain != probe.to.domainpart:
            continue
        answer = msgspec.structs.replace(probe, to=probe.from_, from_=probe.to, trace_id=token_hex(8))
        told = {"text": ANSWER, "trace_id": answer.trace_id}
        if address in network.phones.values():
            ask(folder, plan, network, "phone_send", {"number": address, "to": str(probe.from_), **told})
            return answer
        if address in network.mailboxes.values():
            mails = ask(folder, plan, network, "inbox", {"mailbox": address})
            id = next(mail["message_id"] for mail in reversed(mails) if mail["trace_id"] == probe.trace_id)
            back = f"{quote(str(probe.from_))}@{gateway.domain}"
            ask(folder, plan, network, "reply", {"mailbox": address, "message_id": id, "to": back, **told})
            return answer
    return None


def _receiver(folder: LabFolder, plan: Plan, to: Jid) -> BlockingClient | None:
    password = password_of(plan, to)
    if password is None or not to.is_bare:
        return None
    with suppress(LabError):  # its password was changed: then the probe is left to the account's own clients
        return log_in(folder, plan, _own_resource(to), password)
    return None


def _own_resource(jid: Jid) -> Jid:
    return jid.with_resource(f"trace-{token_hex(4)}")


def _probe(from_: Jid, to: Jid, body: str) -> Stanza:
    """As the sender knows it; its XML has no `from`, which is the server's to write (RFC 6120 section 8.1.2.1)."""
    trace_id = token_hex(8)
    text = Element(f"{{{CLIENT}}}body")
    text.text = body
    payload = [text, Element(f"{{{PROBE}}}probe", id=trace_id)]
    sent = make("message", to=to, id=trace_id, type="chat", payload=payload)
    return msgspec.structs.replace(sent, from_=from_, trace_id=trace_id)


def _hop(probe: Stanza, node: str, event: Event, at_utc_ns: int) -> Hop:
    return Hop(probe.trace_id, node, event, at_utc_ns, probe.kind, str(probe.from_), str(probe.to), len(probe.raw))


def _follow(
    reader: JournalReader,
    position: bytes,
    probe: Stanza,
    receiver: BlockingClient | None,
    last_nodes: frozenset[str],
    receiver_is: str = RECEIVER,
) -> Route:
    deadline_s = time.monotonic() + PATIENCE_S
    awaited = receiver
    while True:
        if awaited is None:
            pause(LOOK_EVERY_S)
        elif (arrival := _arrival(awaited, probe, receiver_is)) is not None:
            reader.append(arrival)
            awaited = None
        route = Route(reader.read({probe.trace_id}, position), last_nodes)
        arrives_yet = awaited is not None and route.end is not None and route.end.event is Event.DELIVERED
        if (route.end is not None and not arrives_yet) or time.monotonic() > deadline_s:
            return route


def _probe_id(child: Slice) -> str | None:
    probe = xml.parse(child.raw).find(f"{{{PROBE}}}probe")
    return None if probe is None else probe.get("id")


def _arrival(receiver: BlockingClient, probe: Stanza, node: str) -> Hop | None:
    """The hop at the receiver; None when the probe does not come within LOOK_EVERY_S."""
    try:
        child = receiver.receive(LOOK_EVERY_S)
    except TimeoutError:
        return None
    arrived_utc_ns = time.time_ns()
    if child is None or _probe_id(child) != probe.trace_id:
        return None
    return _hop(msgspec.structs.replace(probe, raw=child.raw), node, Event.RECEIVED, arrived_utc_ns)
