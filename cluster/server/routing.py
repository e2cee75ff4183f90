"""The next hop of a stanza (RFC 6120 section 10): steps in order, of which the first that knows its address decides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from twisted.internet.defer import fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base import reasons
from cluster.base.settled import Settled, all_of
from cluster.host.unavailable import refusal
from cluster.router.port import Unsettled
from cluster.server.config import Ports, ServerConfig
from cluster.server.nodes.frames import Deliver
from cluster.server.nodes.relayed import RelayedPlaces
from cluster.trace.hop import Event
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import CARRIED, ENTERING_BYTES, too_large, too_many
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.stanza_id import StanzaIds, arrived, is_marked
from cluster.xmpp.wellformed import why_too_large

_CARRIED_BYTES = CARRIED.max_bytes
_SHORT_BYTES = CARRIED.max_nodes
"""A stanza of this size has no more elements and attributes than are carried."""
MAX_KNOWN = 1_024
"""Domainparts whose next hop is remembered; clients may write to any. Beyond, all are looked up again."""


Hop = Callable[[Stanza, str], Settled]
"""Accepts a stanza as `LocalService.deliver` does."""


class LocalService(Protocol):
    """An address at this server: the domain with its accounts, an external component, a hosted service."""

    @property
    def domain(self) -> str:
        """Its domainpart."""

    def deliver(self, stanza: Stanza, place: str) -> Settled:
        """Accept a stanza for this domainpart. It has settled when a crash can no longer lose it.

        `place`: its place in a link, or in another node's inbox, the same each time; a failure with ConnectionLost
        means that it is read again. Empty for a stanza that starts at this node: if delivery fails, its sender gets an
        error.
        """


class DomainService(LocalService, Protocol):
    """The domain itself, with its accounts."""

    def deliver_copies(self, copies: Copies, place: str) -> list[Unsettled]:
        """Accept one stanza for many accounts; those copies that have not settled."""


def one_by_one(deliver: Hop, copies: Copies, place: str) -> list[Unsettled]:
    """Deliver each copy; those that have not settled. One that raises fails alone."""
    unsettled: list[Unsettled] = []
    for copy in copies.each():
        try:
            settled = deliver(copy, place)
        except Exception:
            settled = fail()
        if settled is not None:
            unsettled.append((settled, copy))
    return unsettled


def _cannot_be_carried(raw: bytes) -> bool:
    """Whether the other end of a link would not take it: a long list of short elements too."""
    if len(raw) > _CARRIED_BYTES:
        return True
    return raw.count(b"<") + raw.count(b"=") > CARRIED.max_nodes and bool(why_too_large(raw))


Step = Callable[[str], Hop | None]
"""The next hop for a domainpart; None if another step has to decide."""


class Table(dict[str, Hop]):
    """The next hop by domainpart: that of the first step that knows one. Each is looked up once."""

    def __init__(self, *steps: Step) -> None:
        super().__init__()
        self._steps = steps

    def __missing__(self, domainpart: str) -> Hop:
        if len(self) >= MAX_KNOWN:
            self.clear()
        hop = next(hop for step in self._steps if (hop := step(domainpart)) is not None)
        self[domainpart] = hop
        return hop


class Routing:
    """Routes the stanzas of one domain: from its clients and services, from other domains, and from its other nodes."""

    _log = Logger()

    def __init__(self, config: ServerConfig, ports: Ports) -> None:
        self.jid = Jid("", config.domain)
        self._config = config
        self._router = ports.router
        self._nodes = ports.nodes
        self._store = ports.store
        self._new_id = ports.new_id
        self._tracer = ports.tracer
        self._realm = frozenset((config.domain, *config.specialized))
        self._services: dict[str, LocalService] = {}
        self._accounts: DomainService
        """Set by `add_accounts`."""
        self._relayed = RelayedPlaces()
        self.bounced = 0
        """Stanzas that were answered with an error."""
        self.from_links = 0
        """Stanzas that came from other domains."""
        self._stanza_ids: StanzaIds
        """Set by `start`, before anything arrives from other domains."""
        self._of_here = Table(self._service_here, self._component_at_other_node, self._federation)
        self._of_link = Table(self._service_here, self._component_at_other_node, self._nobody)
        self._of_node = Table(self._service_here, self._nobody)

    def add(self, service: LocalService) -> None:
        """Route stanzas for its domain to it."""
        self._services[service.domain] = service

    def add_accounts(self, accounts: DomainService) -> None:
        """Route stanzas for the domain itself to it."""
        self._accounts = accounts
        self.add(accounts)

    async def start(self) -> None:
        """Take stanzas from other domains."""
        secret = await self._store.secrets.get("stanza ids", f"{self._new_id()}{self._new_id()}".encode())
        self._stanza_ids = StanzaIds(secret)
        await self._router.start(self)

    # --- the steps

    def _service_here(self, domainpart: str) -> Hop | None:
        """The domain's own service, or a specialized one (RFC 6120 section 10.5)."""
        service = self._services.get(domainpart)
        return service.deliver if service is not None else None

    def _component_at_other_node(self, domainpart: str) -> Hop | None:
        node = self._config.components_at.get(domainpart)
        return partial(self.carry, node, home=True) if node is not None else None

    def carry(self, node: str, stanza: Stanza, place: str, *, home: bool = False) -> Settled:
        """Send a stanza for a component or hosted service to the node that has it. `home`: as in `tell`."""
        if not place and len(stanza.raw) > _CARRIED_BYTES:
            return self.too_large(stanza)
        return self.tell(node, stanza, place, home=home)

    def _served_by(self, domainpart: str) -> str:
        return self._config.served_by.get(domainpart, domainpart)

    def _federation(self, domainpart: str) -> Hop:
        """The server of another domain (RFC 6120 section 10.4)."""
        domain = self._served_by(domainpart)
        detail = f"link to {domain}"

        def send(stanza: Stanza, place: str) -> Settled:
            if len(stanza.raw) > _SHORT_BYTES and _cannot_be_carried(stanza.raw):
                return self.too_large(stanza)
            if stanza.trace_id:
                self._tracer.record(Event.ROUTED, stanza, detail)
            return self._router.link(domain).send(stanza)

        return send

    def _nobody(self, domainpart: str) -> Hop:
        text = f"no component {domainpart} is known here"
        error = StanzaError(Condition.SERVICE_UNAVAILABLE, text, reason=reasons.NO_COMPONENT)
        return lambda stanza, place: self.bounce(stanza, error)

    # --- stanzas

    def route(self, item: Stanza | Copies) -> Settled:
        """Route a stanza, or one for many, whose sender is of this domain."""
        if isinstance(item, Copies):
            return all_of([self._route_copies(domainpart, copies) for domainpart, copies in item.by_domain()])
        to = item.to
        if to is None:
            return None  # an answer to a stream that is gone
        return self._of_here[to.domainpart](item, "")

    def _route_copies(self, domainpart: str, copies: Copies) -> Settled:
        """To where stanzas for this domainpart go, in one piece as far as that can take it."""
        if domainpart == self.jid.domainpart:
            return all_of([settled for settled, _ in self._accounts.deliver_copies(copies, "")])
        raw = copies.stanza.raw  # its copies have an address in addition, which ADDED_BYTES has room for
        is_too_large = len(raw) > ENTERING_BYTES or (len(raw) > _SHORT_BYTES and _cannot_be_carried(copies.first.raw))
        if is_too_large or domainpart in self._services or domainpart in self._config.components_at:
            return all_of([self.route(copy) for copy in copies.each()])
        domain = self._served_by(domainpart)
        if copies.trace_id:
            for copy in copies.each():
                self._tracer.record(Event.ROUTED, copy, f"link to {domain}")
        return self._router.link(domain).send(copies)

    def from_link(self, stanza: Stanza, place: str) -> Settled:
        """Route a stanza of another domain; a message gets an id by which a repetition is recognised."""
        self.from_links += 1
        if self._relayed.nodes and self._relayed.is_known((place, stanza.to), self._nodes.name):
            return self._came_before(stanza)
        to = stanza.to
        assert to is not None  # the gate has checked it
        if stanza.kind == "message" and (to.domainpart == self.jid.domainpart or not self.is_of_own_link(place)):
            stanza = arrived(stanza, self.id_at(place), self.jid, self._realm)
        return self._of_link[to.domainpart](stanza, place)

    def copies_from_link(self, copies: Copies, place: str) -> list[Unsettled]:
        """The same for one stanza for many: all copies get the one id."""
        unsettled: list[Unsettled] = []
        for domainpart, part in copies.by_domain():
            if domainpart != self.jid.domainpart or self._relayed.nodes:
                unsettled += one_by_one(self.from_link, part, place)
                continue
            self.from_links += len(part.receivers)
            if part.stanza.kind == "message":
                part = Copies(arrived(part.stanza, self.id_at(place), self.jid, self._realm), part.receivers)
            unsettled += self._accounts.deliver_copies(part, place)
        return unsettled

    def from_node(self, node: str, told: Deliver, place: str) -> Settled:
        """Route a stanza from another node. One that an earlier reader of the link has sent on too is dropped."""
        stanza, at = told.stanza, told.place
        relayed = at, stanza.to
        if at:
            if self._relayed.is_known(relayed, node):
                return self._came_before(stanza)
            self._relayed.note(relayed, node)
        elif stanza.kind == "message" and not is_marked(stanza):
            # like one of another domain: it may arrive twice if this node dies; the ids of our rooms stay
            stanza = arrived(stanza, self.id_at(place), self.jid, frozenset())
        to = stanza.to
        assert to is not None  # by which the other node found this one
        settled = self._of_node[to.domainpart](stanza, at or place)
        return settled.addErrback(self._relayed.forget, relayed) if settled is not None and at else settled

    def id_at(self, place: str) -> str:
        """The id of the stanza at this place of a link or inbox: the same each time that it is read."""
        return self._stanza_ids(place)

    def id_of_sent(self, message: Stanza, sm_id: str, number: int) -> str:
        """The id of a client's message: see `StanzaIds`."""
        return self._stanza_ids.of_sent(message, sm_id, number)

    def _came_before(self, stanza: Stanza) -> Settled:
        cause = "it came before, by way of a node that is gone"
        self._tracer.record(Event.DROPPED, stanza, cause, reason=reasons.CAME_BEFORE)
        return None

    def tell(self, node: str, stanza: Stanza, place: str, *, home: bool = False) -> Settled:
        """Send a stanza to the node of the domain that has its address. `home`: no heir of that node can take it."""
        if stanza.trace_id:
            self._tracer.record(Event.ROUTED, stanza, f"node {node}")
        send = self._nodes.send_home if home else self._nodes.send
        return send(node, Deliver(stanza, place))

    def over_own_link(self, stanza: Stanza) -> Settled:
        """Send a stanza for a component of this domain over the link of the domain to itself: it is there until it has
        settled, also when this process crashes. It keeps its stanza-id."""
        return self._router.link(self.jid.domainpart).send(stanza)

    def is_of_own_link(self, place: str) -> bool:
        """Whether this is a place in that link."""
        return place.startswith((f"{self.jid.domainpart}:", f"{self.jid.domainpart}/"))

    # --- errors

    def bounce(self, stanza: Stanza, error: StanzaError) -> Settled:
        """Answer a stanza with an error, unless it is an error itself."""
        self._tracer.record(Event.BOUNCED, stanza, error.with_cause, reason=error.reason or reasons.REFUSED)
        if stanza.may_be_answered_with_error and stanza.from_ is not None:
            self.bounced += 1
            return self.route(stanza.error(error))
        return None

    def too_large(self, stanza: Stanza) -> Settled:
        """Answer a stanza that cannot be carried; if it is an answer, its receiver gets an error instead."""
        size_bytes = len(stanza.raw)
        error = too_large(size_bytes) if size_bytes > ENTERING_BYTES else too_many(why_too_large(stanza.raw))
        if stanza.may_be_answered_with_error:
            return self.bounce(stanza, error)
        self._tracer.record(Event.DROPPED, stanza, str(error), reason=error.reason)
        shorter = stanza.as_error_alone(error)
        return self.route(shorter) if len(shorter.raw) <= ENTERING_BYTES else None

    def not_delivered(self, failure: Failure, stanza: Stanza) -> Settled:
        """An errback for a stanza that was not delivered: it is refused, the storage is away, or the code failed."""
        if (refused := refusal(failure.value)) is not None:
            return self.bounce(stanza, refused)
        self._log.failure("Delivering a {kind} to {to}", failure, kind=stanza.kind, to=str(stanza.to))
        return self.bounce(stanza, StanzaError(Condition.INTERNAL_SERVER_ERROR, reason=reasons.INTERNAL_ERROR))
