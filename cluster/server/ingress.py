"""The entry of stanzas from the clients and components of a domain (RFC 6120 sections 8.1 and 10.3)."""

from __future__ import annotations

from collections.abc import Callable, Set

import msgspec
from twisted.internet.defer import Deferred

from cluster.base import reasons
from cluster.base.clock import Clock
from cluster.base.settled import Settled, both
from cluster.host import iq
from cluster.host.module import Peer
from cluster.router.port import Bounce
from cluster.server.context import ModuleContext
from cluster.server.im.accounts import Barrier
from cluster.server.im.message_hooks import MessageHooks
from cluster.server.sessions.pace import Pace
from cluster.server.sessions.session import Session
from cluster.trace.hop import Event, Tracer
from cluster.xmpp import element as xml
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.extensions.chat_states import CHAT_STATE, is_chat_state
from cluster.xmpp.extensions.probe import PROBE_PAYLOAD, probe_id, without_probe
from cluster.xmpp.limits import ENTERING_BYTES
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.stanza_id import CLAIMS, with_mark, without_claims
from cluster.xmpp.streams.events import Nonza
from cluster.xmpp.streams.stamp import NotAStanza
from cluster.xmpp.subscription import TYPES

_READ = CLAIMS | {PROBE_PAYLOAD}
"""Payloads of a client's stanza that are addressed to its server."""


class Ingress:
    """Accepts stanzas, refuses those that may not be sent, and routes the others."""

    def __init__(
        self,
        ctx: ModuleContext,
        requests: iq.IqDispatch[ModuleContext],
        hooks: MessageHooks,
        tracer: Tracer,
        too_large: Callable[[Stanza], Settled],
        bounce: Bounce,
        clock: Clock,
        id_of_sent: Callable[[Stanza, str, int], str],
        marked: Set[str],
    ) -> None:
        """`too_large` answers stanzas that cannot be carried; `id_of_sent`: see `StanzaIds`; `marked`: the domains for
        which it is the id of a message, those of this server and its components."""
        self._id_of_sent = id_of_sent
        self._marked = marked
        self._ctx = ctx
        self._route = ctx.route
        self._requests = requests
        self._hooks = hooks
        self._tracer = tracer
        self._too_large = too_large
        self._bounce = bounce
        self._pace = Pace(clock, self._handle)
        self._resting = self._pace.resting
        self.messages = self.presences = self.iqs = 0
        """Stanzas of clients, by their kinds."""
        self.of_components = 0
        """Stanzas of components."""
        self.refused_logins = 0
        """On client streams that have ended."""

    def from_session(self, session: Session, stanza: Stanza) -> Settled:
        """A stanza that a client sent; its `from` is stamped."""
        if self._resting and session in self._resting:
            return self._pace.later(session, stanza)
        if stanza.kind == "message" and (sm := session.sm) is not None and sm.id:
            session.sent_id = self._id_of_sent(stanza, sm.id, sm.came + 1)
            try:
                return self._handle(session, stanza)
            finally:
                session.sent_id = ""
        return self._handle(session, stanza)

    def _handle(self, session: Session, stanza: Stanza) -> Settled:
        if not _READ.isdisjoint(stanza.payloads):
            stanza, trace_id = self._read(session, stanza)
        else:
            trace_id = ""
        if trace_id or (trace_id := self._tracer.sample(stanza)):
            stanza = self._followed(stanza, trace_id)
        if len(stanza.raw) > ENTERING_BYTES:
            return self._too_large(stanza)
        barrier = session.account.barrier
        if barrier is not None and stanza.to is not None and session.account.blocks(stanza.to):
            self._turn_back(session, stanza, barrier)
            return None
        if stanza.kind == "message":
            self.messages += 1
            if stanza.to is None:  # RFC 6120 section 10.3.1
                stanza = stanza.redirected(session.account.jid)
            is_here = bool(session.sent_id) and stanza.to is not None and stanza.to.domainpart in self._marked
            settled = self._route(with_mark(stanza, session.sent_id) if is_here else stanza)
            kept = self._hooks.sent(session, stanza)
            return settled if kept is None else both(settled, kept)
        try:
            if stanza.kind == "presence":
                self.presences += 1
                return self._presence_from(session, stanza)
            self.iqs += 1
            return self._iq_from(session, stanza)
        except StanzaError as error:
            return self._bounce(stanza, error)

    def from_component(self, stanza: Stanza) -> Settled:
        """A stanza that a component sent; its `from` is of the component's domain."""
        self.of_components += 1
        stanza = self._without_claims(stanza)
        if trace_id := stanza.trace_id or self._tracer.sample(stanza):
            stanza = self._followed(stanza, trace_id)
        if len(stanza.raw) > ENTERING_BYTES:
            return self._too_large(stanza)
        try:
            if stanza.kind == "iq":
                iq.check(stanza)
        except StanzaError as error:
            return self._bounce(stanza, error)
        return self._route(stanza)

    def before_login(self, request: Stanza, peer: Peer) -> Deferred[Stanza]:
        """An iq on a stream without a login (XEP-0077); fires with the reply."""
        replied: Deferred[Stanza] = Deferred()
        iq.IqDispatch(self._ctx.host, replied.callback).handle(self._ctx, request, "stream", peer)
        return replied

    def nonza(self, session: Session, nonza: Nonza) -> None:
        """An element between a client's stanzas. Raises StreamError if no module handles it."""
        handler = self._ctx.host.nonza_handler(nonza.name)
        if handler is None:
            raise NotAStanza(nonza.name)
        handler(self._ctx, session, nonza)

    def _read(self, session: Session, stanza: Stanza) -> tuple[Stanza, str]:
        """Read what a client's stanza says to the server itself: the stanza without that, and the trace id of its
        probe."""
        trace_id = probe_id(stanza)
        if trace_id and not self._ctx.probes.take(session.jid.localpart):
            stanza, trace_id = without_probe(stanza), ""  # otherwise a gateway would follow it
        return self._without_claims(stanza), trace_id

    def _without_claims(self, stanza: Stanza) -> Stanza:
        """The stanza without stanza-ids in the name of this domain (XEP-0359 section 3)."""
        return stanza if CLAIMS.isdisjoint(stanza.payloads) else without_claims(stanza, self._ctx.realm)

    def _followed(self, stanza: Stanza, trace_id: str) -> Stanza:
        """The stanza as it enters the lab here, with a trace id if it is to be followed."""
        stanza = msgspec.structs.replace(stanza, trace_id=trace_id)
        self._tracer.record(Event.RECEIVED, stanza, CHAT_STATE if is_chat_state(stanza) else "")
        return stanza

    def _turn_back(self, session: Session, stanza: Stanza, barrier: Barrier) -> None:
        """The session's own account blocks the receiver: refuse the stanza."""
        self._tracer.record(Event.BOUNCED, stanza, "the sender blocks the receiver", reason=reasons.SENDER_BLOCKS)
        if stanza.may_be_answered_with_error:  # without `bounce`: the receiver's barrier would stop it
            session.send(stanza.error(barrier.refusal()))

    def _presence_from(self, session: Session, stanza: Stanza) -> Settled:
        if stanza.type is None:
            stanza = self._ctx.presence.leaving(session, stanza)
        if stanza.to is None:
            if stanza.type not in (None, "unavailable"):
                raise StanzaError(Condition.BAD_REQUEST, f"presence of type {stanza.type} needs an address")
            was_accepting = session.accepting_messages
            self._pace.worked(session)
            told = self._ctx.presence.broadcast(session, stanza)
            if session.accepting_messages and not was_accepting:
                return both(told, self._ctx.host.run("available", self._ctx, session.account, session))
            return told
        if stanza.type in TYPES:
            _check_lasting(session)
            return self._ctx.subscriptions.outbound(session.account, stanza)
        if stanza.type in (None, "unavailable"):
            return self._ctx.presence.direct(session, stanza)
        if stanza.type in ("error", "probe"):  # a client may not send a probe, and gets no error for it (section 4.3)
            return self._route(stanza)
        raise StanzaError(Condition.BAD_REQUEST, f"unknown presence type {stanza.type}")

    def _iq_from(self, session: Session, stanza: Stanza) -> Settled:
        if session.account.is_removed and stanza.type in ("get", "set"):  # otherwise its change would remain
            text = "the account is being removed"
            refusal = StanzaError(Condition.NOT_ALLOWED, text, reason=reasons.ACCOUNT_REMOVED)
            session.send(stanza.error(refusal))  # without `bounce`: the account cannot be found any more
            return None
        if stanza.id is None and not self._ctx.strict:
            stanza = self._with_id(session, stanza)
        iq.check(stanza)
        if stanza.to is None or stanza.to == session.account.jid:  # RFC 6120 section 10.3.3
            if stanza.type == "set":
                _check_lasting(session)
            self._pace.worked(session)
            return self._requests.handle(self._ctx, stanza, "own")
        return self._route(stanza)

    def _with_id(self, session: Session, stanza: Stanza) -> Stanza:
        """Old clients send an iq without an id (RFC 6120 section 8.1.3). Others see an empty id, as with Prosody."""
        if not session.has_no_ids:
            session.has_no_ids = True
            detail = "an iq without an id (RFC 6120 section 8.1.3); further ones are not noted"
            self._tracer.note("iq", session.jid, stanza.to or session.account.jid, detail)
        tree = stanza.tree
        tree.set("id", "")
        return msgspec.structs.replace(stanza, id="", raw=xml.serialize(tree))


def _check_lasting(session: Session) -> None:
    if session.account.temporary:  # XEP-0175 section 3
        raise StanzaError(Condition.NOT_ALLOWED, "an anonymous account keeps nothing: no roster, no data")
