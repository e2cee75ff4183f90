"""Stanzas for a domain and its accounts (RFC 6120 section 10.5, RFC 6121 section 8.5)."""

from __future__ import annotations

from functools import partial
from typing import Any

from cluster.base import reasons
from cluster.base.context import in_this_context
from cluster.base.settled import Settled
from cluster.host.iq import IqDispatch
from cluster.router.port import Unsettled
from cluster.server.config import Ports
from cluster.server.context import ModuleContext
from cluster.server.im.accounts import LocalAccount
from cluster.server.im.delivery import MessageDelivery
from cluster.server.im.message_hooks import OF_ROOMS
from cluster.server.routing import Routing, one_by_one
from cluster.server.sessions.session import Session
from cluster.trace.hop import Event
from cluster.xmpp.copies import Copies
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.subscription import TYPES


class AccountDelivery:
    """A `DomainService`: the domain itself, its accounts and their resources, wherever in the domain they are."""

    def __init__(
        self,
        ctx: ModuleContext,
        messages: MessageDelivery,
        requests: IqDispatch[ModuleContext],
        ports: Ports,
        routing: Routing,
    ) -> None:
        self.domain = ctx.domain
        self._ctx = ctx
        self._online = ctx.accounts.online
        self._messages = messages
        self._requests = requests
        self._nodes = ports.nodes
        self._tracer = ports.tracer
        self._routing = routing
        self._bounce = routing.bounce

    def deliver(self, stanza: Stanza, place: str) -> Settled:
        """Deliver at the node that has the account: here, where it is online here or belongs to nobody."""
        assert stanza.to is not None
        localpart = stanza.to.localpart
        account = self._online.get(localpart)
        if account is not None:
            settled = self._hand_on(account, stanza)
        elif not localpart:
            settled = self._deliver_to_domain(stanza)
        elif self._nodes.is_alone and self._is_only_seen(stanza):
            return None
        else:
            deliver_at = in_this_context(self._deliver_at)
            settled = self._nodes.claim(localpart).addCallback(deliver_at, stanza, localpart, place)
        if settled is None or place:
            return settled
        return settled.addErrback(in_this_context(self._routing.not_delivered), stanza)

    def deliver_copies(self, copies: Copies, place: str) -> list[Unsettled]:
        """The same for all of these, in one loop: what a session here gets from a room goes to it at once."""
        stanza = copies.stanza
        if stanza.kind != "message" or stanza.type != OF_ROOMS:
            return one_by_one(self.deliver, copies, place)
        online, others = self._online, list[Jid]()
        for to, copy in zip(copies.receivers, copies.each(), strict=True):
            account = online.get(to.localpart)
            if account is None or (session := account.open_session(to.resourcepart)) is None:
                others.append(to)
            else:
                session.send(copy)
                if copy.trace_id:
                    self._tracer.record(Event.DELIVERED, copy, to.resourcepart, reason=session.why_not_now)
        return one_by_one(self.deliver, Copies(stanza, others), place)

    def _deliver_to_domain(self, stanza: Stanza) -> Settled:
        if stanza.kind == "iq":
            return self._requests.handle(self._ctx, stanza, "domain")
        if stanza.kind == "message":  # RFC 6120 section 10.5.1: the server itself reads no messages
            error = StanzaError(
                Condition.SERVICE_UNAVAILABLE, cause="the server itself reads no messages", reason=reasons.SERVER_ITSELF
            )
            return self._bounce(stanza, error)
        return None

    def _deliver_at(self, node: str, stanza: Stanza, localpart: str, place: str) -> Settled:
        """The account has no session at this node: it is offline, at another node, or being restored."""
        if node != self._nodes.name:
            return self._routing.tell(node, stanza, place)
        if self._is_only_seen(stanza) and self._ctx.accounts.here(localpart) is None:
            self._nodes.release(localpart)
            return None
        delivered = self._ctx.accounts.load(localpart).addCallback(in_this_context(self._hand_on), stanza)
        return delivered.addBoth(self._released, localpart)

    def _released(self, result: Any, localpart: str) -> Any:
        self._nodes.release(localpart)
        return result

    def _hand_on(self, account: LocalAccount | None, stanza: Stanza) -> Settled:
        """Pass a stanza on to this account; None if it does not exist."""
        if account is not None and account.barrier is not None and stanza.from_ and account.blocks(stanza.from_):
            return self._turn_away(stanza)
        if stanza.kind == "message":
            return self._messages.deliver(account, stanza)
        if account is not None and account.is_removed:  # while the stanza was held back
            account = None
        if account is not None and account.held is not None:  # RFC 6120 section 10.1: it overtakes no message
            return account.hold_back(partial(self._hand_on, account, stanza))
        if stanza.kind == "iq":
            return self._deliver_iq(account, stanza)
        return self._deliver_presence(account, stanza)

    def _turn_away(self, stanza: Stanza) -> Settled:
        """The account blocks the sender, who gets the answer of an account without resources."""
        cause = "the receiver blocks the sender"
        if stanza.kind == "presence":
            self._tracer.record(Event.DROPPED, stanza, cause, reason=reasons.RECEIVER_BLOCKS)
        else:
            error = StanzaError(Condition.SERVICE_UNAVAILABLE, cause=cause, reason=reasons.RECEIVER_BLOCKS)
            return self._bounce(stanza, error)
        return None

    def _deliver_iq(self, account: LocalAccount | None, stanza: Stanza) -> Settled:
        """RFC 6121 section 8.5: the server answers for an account; a resource answers for itself."""
        assert stanza.to is not None
        if not stanza.to.resourcepart:
            return self._requests.handle(self._ctx, stanza, "nobody" if account is None else "account")
        try:
            session = self._asked_session(account, stanza, stanza.to)
        except StanzaError as error:
            return self._bounce(stanza, error)
        session.send(stanza)
        if stanza.trace_id:
            self._tracer.record(Event.DELIVERED, stanza, stanza.to.resourcepart, reason=session.why_not_now)
        return None

    def _asked_session(self, account: LocalAccount | None, stanza: Stanza, to: Jid) -> Session:
        """The resource that an iq is for. Raises StanzaError if there is none, or none for this sender."""
        if account is None:
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, cause="no such account", reason=reasons.NO_ACCOUNT)
        is_request = stanza.may_be_answered_with_error
        if is_request and stanza.payloads:
            guard = self._ctx.host.guard(stanza.payloads[0])
            if guard is not None:
                guard(self._ctx, account, stanza)
        session = account.sessions.get(to.resourcepart)
        if session is None or (is_request and not session.is_visible_to(stanza.from_)):
            cause = "no such resource" if session is None else "the sender may not see the resource"
            reason = reasons.NO_RESOURCE if session is None else reasons.NOT_VISIBLE
            # section 8.5.3.1: a stranger must not distinguish these cases
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, cause=cause, reason=reason)
        return session

    def _deliver_presence(self, account: LocalAccount | None, stanza: Stanza) -> Settled:
        if stanza.type == "probe":
            return self._ctx.presence.answer_probe(account, stanza)
        elif account is None or (account.temporary and stanza.type in TYPES):
            pass  # RFC 6121 section 8.5.1: silently ignored
        elif stanza.type in TYPES:
            try:
                return self._ctx.subscriptions.inbound(account, stanza)
            except StanzaError as error:
                return self._bounce(stanza, error)
        else:
            return self._ctx.presence.receive(account, stanza)
        return None

    def _is_only_seen(self, stanza: Stanza) -> bool:
        """Presence that only a session could see (RFC 6121 section 8.5.2.2.2), and that no module needs."""
        is_presence = stanza.kind == "presence" and stanza.type not in TYPES and stanza.type != "probe"
        return is_presence and not self._ctx.presence.concerns(stanza, self._nodes.is_alone)
