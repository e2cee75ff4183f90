"""One domain: where each stanza goes next (RFC 6120 section 10, RFC 6121 section 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from cluster.base.rate import RateLimit
from cluster.base.settled import Settled
from cluster.base.storage import is_refusal
from cluster.host import iq
from cluster.server.account_delivery import AccountDelivery
from cluster.server.accounts import Accounts, LocalAccount
from cluster.server.component import Component
from cluster.server.config import Ports, ServerConfig
from cluster.server.context import ModuleContext, ServerHost
from cluster.server.credentials import PASSWORD_CHANGES_PER_MINUTE, Credentials
from cluster.server.delivery import Came, MessageDelivery
from cluster.server.entrance import Entrance
from cluster.server.forgetting import remove
from cluster.server.frames import Deliver, Remove
from cluster.server.hibernation import Hibernation
from cluster.server.keeper import Keeper
from cluster.server.message_hooks import MessageHooks
from cluster.server.presence import Presence
from cluster.server.presence_hooks import PresenceHooks
from cluster.server.relayed import RelayedPlaces
from cluster.server.restored import RestoredSession, restore
from cluster.server.session import Session
from cluster.server.subscriptions import Subscriptions
from cluster.trace.hop import Event
from cluster.xmpp.errors import Condition, StanzaError
from cluster.xmpp.jid import Jid
from cluster.xmpp.limits import CARRIED, ENTERING_BYTES, too_large
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.stanza_id import StanzaIds, arrived, with_stanza_id

_log = Logger()
_CARRIED_BYTES = CARRIED.max_bytes


class Domain:
    """Routes the stanzas of one domain: from its sessions, from other domains, and its own."""

    def __init__(self, config: ServerConfig, ports: Ports) -> None:
        self.name = config.domain
        self.router = ports.router
        self.tracer = ports.tracer
        self.components = {
            domain: Component(domain, secret, ports.clock, ports.tracer) for domain, secret in config.components.items()
        }
        self._jid = Jid("", config.domain)
        self._served_by = config.served_by
        self._components_at = config.components_at
        self._nodes = ports.nodes
        self._store = ports.store
        self._new_id = ports.new_id
        self._clock = ports.clock
        self._relayed = RelayedPlaces()
        self.host = ServerHost(config.modules)
        self.credentials = Credentials(ports.store.accounts, ports.store.secrets, ports.derive, ports.new_salt)
        self.accounts = Accounts(config.domain, ports.store, config.limits, self._complete)
        self.keeper = Keeper(ports.store.sessions, ports.turn, ports.now_utc_s)
        hooks_of_presence = PresenceHooks(self.host, lambda: self.context)
        self._presence = Presence(self.route, ports.new_id, ports.now_utc_s, hooks_of_presence)
        self.subscriptions = Subscriptions(self.accounts, self._presence, self.route, ports.new_id)
        self.context = self._context(config, ports)
        hooks = MessageHooks(self.context)
        self._messages = MessageDelivery(self.context, self.bounce, ports.tracer, hooks)
        self._iq = iq.IqDispatch(self.host, self.route)
        self._local = AccountDelivery(self.context, self._messages, self._iq, ports.tracer, self.bounce)
        self.entrance = Entrance(self.context, self._iq, hooks, ports.tracer, self.too_large, self.bounce, ports.clock)

    def _context(self, config: ServerConfig, ports: Ports) -> ModuleContext:
        steady = ports.clock.seconds
        started_s = steady()
        return ModuleContext(
            domain=config.domain, components=tuple({**config.components, **config.components_at}),
            realm=frozenset((config.domain, *config.components, *config.components_at)),
            registration=config.registration, strict=config.strict, admin=config.admin, limits=config.limits,
            registrations=RateLimit.per_minute(config.registrations_per_minute, steady),
            password_changes=RateLimit.per_minute(PASSWORD_CHANGES_PER_MINUTE, steady),
            probes=RateLimit.per_minute(config.probes_per_minute, steady),
            store=ports.store, new_id=ports.new_id, now_utc_s=ports.now_utc_s, uptime_s=lambda: steady() - started_s,
            accounts=self.accounts, credentials=self.credentials, subscriptions=self.subscriptions,
            presence=self._presence, host=self.host, route=self.route,
            remove_account=lambda localpart, removed: Deferred.fromCoroutine(self.remove_account(localpart, removed)),
        )  # fmt: skip

    async def _complete(self, account: LocalAccount) -> None:
        """Let the modules add what is theirs to an account that was read."""
        await self.host.load(self.context, self._store.documents, account)

    async def start(self) -> None:
        """Take stanzas from other domains."""
        for component in self.components.values():
            component.start(self.bounce)
        secret = await self._store.secrets.get("stanza ids", f"{self._new_id()}{self._new_id()}".encode())
        self._stanza_ids = StanzaIds(secret)
        await self.router.start(self.from_link, self.bounce)

    # --- sessions

    def hibernate(self, session: Session) -> None:
        """The session has no stream, and waits for its client (XEP-0198 section 5)."""
        Hibernation(session, self.keeper, self._clock, self.session_gone)

    def session_gone(self, session: Session) -> None:
        """The stream of a session is over: its contacts hear of it, and what it never got goes elsewhere."""
        self._presence.leave(session)
        self.accounts.detach(session)
        self.keeper.gone(session)
        if not (session.account.temporary or session.account.is_removed):
            told = self.host.run("gone", self.context, session.account, session)
            told.addErrback(lambda failure: _log.failure("A module did not take note of a session's end", failure))
        elsewhere: list[Deferred[Any]] = []
        unsent, came = session.take_unsent(), Came.AGAIN
        if session.is_behind and not session.account.best():  # newer ones wait in the store already
            unsent, came = unsent[::-1], Came.AGAIN_FIRST
        for stanza in unsent:
            settled: Settled = None
            if stanza.kind == "message":
                settled = self._messages.redeliver(session.account, stanza, came)
            elif stanza.kind == "iq":
                settled = self.deliver(stanza)
            if settled is not None:
                elsewhere.append(settled.addErrback(self._not_delivered, stanza))
        forgotten = DeferredList(elsewhere).addCallback(lambda _: self.keeper.forget(session))
        forgotten.addCallback(lambda _: self._nodes.release(session.jid.localpart))

    async def restore(self, localpart: str) -> None:
        """The process that had the account is gone: its sessions that can be resumed go on here.

        What that process was sent and has not delivered reaches them now, but nothing else does before `adopt`.
        """
        states = self.host.session_states
        for session in await restore(localpart, self.accounts, self._store.sessions, self.keeper, states):
            self._nodes.claim_again(localpart)  # until its end; see `session_gone`
            if not session.is_bound:
                self.session_gone(session)
                continue
            self.hibernate(session)
            if session.willing:  # what came for the account before it was taken up
                await self.host.run("available", self.context, session.account, session)

    async def adopt(self, localpart: str) -> None:
        """The restored account is here as any other. Whoever could see its other sessions hears that they are gone."""
        account = await self.accounts.load(localpart)
        if account is None:
            return
        self.accounts.show(account)
        if not account.available:
            self._presence.absent(account)
        for session in [*account.sessions.values()]:
            if isinstance(session, RestoredSession):
                await self.host.run("restored", self.context, account, session)

    # --- on its way

    def route(self, stanza: Stanza) -> Settled:
        """The next hop of a stanza whose sender is of this domain."""
        to = stanza.to
        if to is None or to.domainpart == self.name:
            settled = self.deliver(stanza)
            return settled.addErrback(self._not_delivered, stanza) if settled is not None else None
        if to.domainpart in self.components or to.domainpart in self._components_at:
            return self._route_to_component(stanza, to)
        if len(stanza.raw) > _CARRIED_BYTES:
            return self.too_large(stanza)
        domain = self._served_by.get(to.domainpart, to.domainpart)
        if stanza.trace_id:
            self.tracer.record(Event.ROUTED, stanza, f"link to {domain}")
        return self.router.link(domain).send(stanza)

    def _route_to_component(self, stanza: Stanza, to: Jid) -> Settled:
        """A specialized local service (RFC 6120 section 10.5)."""
        if len(stanza.raw) > _CARRIED_BYTES:
            return self.too_large(stanza)
        if to.domainpart not in self.components:
            return self._tell(self._components_at[to.domainpart], stanza)
        if stanza.kind == "message":  # it may come twice, and is known by that then
            stanza = with_stanza_id(stanza, self.context.new_id(), self._jid)
        self.components[to.domainpart].send(stanza)  # its own bound holds; the sender is not to wait with it
        return None

    def _not_delivered(self, failure: Failure, stanza: Stanza) -> Settled:
        """The storage is away or full. What came over a link is read again; what came from here goes back."""
        if is_refusal(failure.value):
            return self.bounce(stanza, StanzaError(Condition.RESOURCE_CONSTRAINT, "the server cannot keep it now"))
        _log.failure("Delivering a {kind} to {to}", failure, kind=stanza.kind, to=str(stanza.to))
        return self.bounce(stanza, StanzaError(Condition.INTERNAL_SERVER_ERROR))

    def from_link(self, stanza: Stanza, place: str) -> Settled:
        """A stanza of another domain; a message gets an id by which it is known if it comes again."""
        if self._relayed.nodes and self._relayed.is_known(place, self._nodes.name):
            return self._came_before(stanza)
        if stanza.kind == "message":
            stanza = self._arrived(stanza, place)
        return self.deliver(stanza, place)

    def from_node(self, node: str, told: Deliver, place: str) -> Settled:
        """What another node has sent on. What an earlier reader of the link has sent on too has come already."""
        stanza = told.stanza
        if told.place:
            if self._relayed.is_known(told.place, node):
                return self._came_before(stanza)
            self._relayed.note(told.place, node)
        elif stanza.kind == "message":  # as one of another domain: it may come twice if this node dies
            stanza = self._arrived(stanza, place)
        settled = self._deliver_here(stanza, told.place)
        return settled.addErrback(self._relayed.forget, told.place) if settled is not None and told.place else settled

    def _arrived(self, message: Stanza, place: str) -> Stanza:
        return arrived(message, self._stanza_ids(place), self._jid, self.context.realm)

    def _came_before(self, stanza: Stanza) -> Settled:
        self.tracer.record(Event.DROPPED, stanza, "it came before, by way of a node that is gone")
        return None

    def deliver(self, stanza: Stanza, place: str = "") -> Settled:
        """Hand a stanza for this domain to whom it is for. It has settled when a crash cannot lose it any more.

        `place`: in the links, if it came over one.
        """
        to = stanza.to
        if to is None:
            return None  # an answer to a stream that is gone
        if to.domainpart in self._components_at:
            return self._tell(self._components_at[to.domainpart], stanza, place)
        return self._deliver_here(stanza, place)

    def _deliver_here(self, stanza: Stanza, place: str) -> Settled:
        """A component is connected here, or not at all."""
        to = stanza.to
        assert to is not None
        if to.domainpart != self.name:
            return self._deliver_to_component(stanza, to)
        if not to.localpart:
            return self._deliver_to_domain(stanza)
        account = self.accounts.online.get(to.localpart)
        if account is not None:
            return self._local.deliver(account, stanza)
        if self._nodes.is_alone and self._local.is_only_seen(stanza):
            return None
        return self._nodes.claim(to.localpart).addCallback(self._deliver_at, stanza, to.localpart, place)

    def _deliver_at(self, node: str, stanza: Stanza, localpart: str, place: str) -> Settled:
        """Nobody is online here: the account is offline, at another node, or being restored."""
        if node != self._nodes.name:
            return self._tell(node, stanza, place)
        if self._local.is_only_seen(stanza) and self.accounts.here(localpart) is None:
            self._nodes.release(localpart)
            return None
        delivered = self.accounts.load(localpart).addCallback(self._local.deliver, stanza)
        return delivered.addBoth(self._released, localpart)

    def _released(self, result: Any, localpart: str) -> Any:
        self._nodes.release(localpart)
        return result

    def _tell(self, node: str, stanza: Stanza, place: str = "") -> Settled:
        """Another node of the domain has whom it is for."""
        if stanza.trace_id:
            self.tracer.record(Event.ROUTED, stanza, f"node {node}")
        return self._nodes.send(node, Deliver(stanza, place))

    def _deliver_to_component(self, stanza: Stanza, to: Jid) -> Settled:
        component = self.components.get(to.domainpart)
        if component is not None:
            return component.send(stanza)
        error = StanzaError(Condition.SERVICE_UNAVAILABLE, f"no component {to.domainpart} is known here")
        return self.bounce(stanza, error)

    def _deliver_to_domain(self, stanza: Stanza) -> Settled:
        if stanza.kind == "iq":
            return self._iq.handle(self.context, stanza, "domain")
        if stanza.kind == "message":  # RFC 6120 section 10.5.1: the server itself reads none
            error = StanzaError(Condition.SERVICE_UNAVAILABLE, cause="the server itself reads no messages")
            return self.bounce(stanza, error)
        return None

    def bounce(self, stanza: Stanza, error: StanzaError) -> Settled:
        """Answer a stanza with an error, unless it is one itself."""
        self.tracer.record(Event.BOUNCED, stanza, error.with_cause)
        if stanza.may_be_answered_with_error and stanza.from_ is not None:
            return self.route(stanza.error(error))
        return None

    def too_large(self, stanza: Stanza) -> Settled:
        """Answer a stanza that cannot be carried; in place of an answer whoever asked gets an error."""
        error = too_large(len(stanza.raw))
        if stanza.may_be_answered_with_error:
            return self.bounce(stanza, error)
        self.tracer.record(Event.DROPPED, stanza, str(error))
        shorter = stanza.as_error_alone(error)
        return self.route(shorter) if len(shorter.raw) <= ENTERING_BYTES else None

    # --- accounts

    async def remove_account(self, localpart: str, removed: Callable[[], object] = lambda: None) -> bool:
        """Forget an account: all its data goes, its sessions end, its contacts are told (XEP-0077 section 3.2).

        False where there is none. `removed` is called when that is final, before its sessions end; not where the
        account is at another node.
        """
        node = await self._nodes.claim(localpart)
        if node != self._nodes.name:
            self._nodes.send(node, Remove(localpart))
            return True
        try:
            account = await self.accounts.load(localpart)
            if account is not None:
                await remove(account, self.accounts, self._store.accounts, self.subscriptions, removed)
            return account is not None
        finally:
            self._nodes.release(localpart)
