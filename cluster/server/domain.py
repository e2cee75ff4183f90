"""One domain: where each stanza goes next (RFC 6120 section 10, RFC 6121 section 8)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cluster.router.port import Router, Settled
from cluster.server import iq
from cluster.server.accounts import Accounts, LocalAccount
from cluster.server.context import ModuleContext
from cluster.server.credentials import Credentials
from cluster.server.delivery import MessageDelivery
from cluster.server.module import Hook, Module, ModuleHost
from cluster.server.presence import Presence
from cluster.server.session import Session
from cluster.server.subscriptions import Subscriptions
from cluster.store.port import Store
from cluster.trace.hop import Event, Tracer
from cluster.xmpp.errors import Condition, StanzaError, StreamCondition
from cluster.xmpp.jid import Jid
from cluster.xmpp.namespaces import PROBE
from cluster.xmpp.stanza import Stanza
from cluster.xmpp.subscription import TYPES

_log = Logger()
_PROBE = f"{PROBE} probe"


class Domain:
    """Routes the stanzas of one domain: from its sessions, from other domains, and its own."""

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        router: Router,
        tracer: Tracer,
        credentials: Credentials,
        modules: list[Module],
        registration: bool,
        new_id: Callable[[], str],
        now_utc_s: Callable[[], float],
    ) -> None:
        self.name = name
        self.router = router
        self.tracer = tracer
        self.credentials = credentials
        self.accounts = Accounts(name, store)
        self.host = ModuleHost(modules)
        self._presence = Presence(self.route)
        self.subscriptions = Subscriptions(self.accounts, self._presence, self.route, new_id)
        self._messages = MessageDelivery(self.accounts, self._keep, self.bounce, tracer)
        self._iq = iq.IqDispatch(self.host, self.route)
        self._store = store
        self.context = ModuleContext(
            domain=name, registration=registration, store=store, accounts=self.accounts, credentials=credentials,
            subscriptions=self.subscriptions, host=self.host, route=self.route, new_id=new_id, now_utc_s=now_utc_s,
            hold_messages=self._messages.hold, release_messages=self._messages.release,
            remove_account=lambda localpart: Deferred.fromCoroutine(self.remove_account(localpart)),
        )  # fmt: skip

    async def start(self) -> None:
        """Take stanzas from other domains."""
        await self.router.start(self.deliver, self.bounce)

    # --- from a session of this domain

    def from_session(self, session: Session, stanza: Stanza) -> Settled:
        """A stanza that a client sent; its `from` is stamped."""
        trace_id = self._probe_id(stanza) if _PROBE in stanza.payloads else self.tracer.sample()
        if trace_id:
            stanza = msgspec.structs.replace(stanza, trace_id=trace_id)
            self.tracer.record(Event.RECEIVED, stanza)
        if stanza.kind == "message":
            if stanza.to is None:  # RFC 6120 section 10.3.1
                stanza = stanza.redirected(session.account.jid)
            return self.route(stanza)
        try:
            if stanza.kind == "presence":
                return self._presence_from(session, stanza)
            return self._iq_from(session, stanza)
        except StanzaError as error:
            self.bounce(stanza, error)
            return None

    def _presence_from(self, session: Session, stanza: Stanza) -> Settled:
        if stanza.to is None:
            if stanza.type not in (None, "unavailable"):
                raise StanzaError(Condition.BAD_REQUEST, f"presence of type {stanza.type} needs an address")
            was_willing = session.willing
            self._presence.broadcast(session, stanza)
            if session.willing and not was_willing:
                return self._run_hook("available", session.account, session)
            return None
        if stanza.type in TYPES:
            return self.subscriptions.outbound(session.account, stanza)
        if stanza.type in (None, "unavailable"):
            return self._presence.direct(session, stanza)
        if stanza.type == "error":
            return self.route(stanza)
        raise StanzaError(Condition.BAD_REQUEST, f"presence of type {stanza.type} is not a client's to send")

    def _iq_from(self, session: Session, stanza: Stanza) -> Settled:
        iq.check(stanza)
        if stanza.to is None or stanza.to == session.account.jid:  # RFC 6120 section 10.3.3
            return self._iq.handle(self.context, stanza, "own")
        return self.route(stanza)

    def request_before_login(self, stanza: Stanza) -> Deferred[Stanza]:
        """An iq on a stream without a login (XEP-0077); fires with the reply."""
        replied: Deferred[Stanza] = Deferred()
        try:
            iq.check(stanza)
        except StanzaError as error:
            replied.callback(stanza.error(error))
        else:
            iq.IqDispatch(self.host, replied.callback).handle(self.context, stanza, "stream")
        return replied

    def session_gone(self, session: Session) -> None:
        """The stream of a session is over: its contacts hear of it, and what it never got goes elsewhere."""
        self._presence.leave(session)
        self.accounts.detach(session)
        for stanza in session.take_unsent():
            if stanza.kind != "presence":
                self.deliver(stanza)

    # --- on its way

    def route(self, stanza: Stanza) -> Settled:
        """The next hop of a stanza whose sender is of this domain."""
        to = stanza.to
        if to is None or to.domainpart == self.name:
            return self.deliver(stanza)
        if stanza.trace_id:
            self.tracer.record(Event.ROUTED, stanza, f"link to {to.domainpart}")
        return self.router.link(to.domainpart).send(stanza)

    def deliver(self, stanza: Stanza) -> Settled:
        """Hand a stanza for this domain to whom it is for. It has settled when a crash cannot lose it any more."""
        to = stanza.to
        if to is None:
            return None  # an answer to a stream that is gone
        if not to.localpart:
            return self._deliver_to_domain(stanza)
        if stanza.kind == "message":
            return self._messages.deliver(stanza)
        if stanza.kind == "iq":
            return self._deliver_iq(stanza, to)
        account = self.accounts.online.get(to.localpart)
        if account is not None:
            return self._deliver_presence(account, stanza)
        if stanza.type not in TYPES and stanza.type != "probe":
            return None  # RFC 6121 section 8.5.2.2.2: nobody is there to see it
        return self.accounts.load(to.localpart).addCallback(self._deliver_presence, stanza)

    def _deliver_to_domain(self, stanza: Stanza) -> Settled:
        if stanza.kind == "iq":
            return self._iq.handle(self.context, stanza, "domain")
        if stanza.kind == "message":  # RFC 6120 section 10.5.1: the server itself reads none
            self.bounce(stanza, StanzaError(Condition.SERVICE_UNAVAILABLE))
        return None

    def _deliver_iq(self, stanza: Stanza, to: Jid) -> Settled:
        if not to.resourcepart:
            return self.accounts.load(to.localpart).addCallback(self._answer_for_account, stanza)
        session = self.context.session(to)
        if session is not None:
            session.send(stanza)
            self.tracer.record(Event.DELIVERED, stanza, to.resourcepart)
        else:
            self.bounce(stanza, StanzaError(Condition.SERVICE_UNAVAILABLE))
        return None

    def _answer_for_account(self, account: LocalAccount | None, stanza: Stanza) -> Settled:
        """RFC 6121 section 8.5.2.1.3; where there is no such account, nothing answers for it (section 8.5.1)."""
        if account is not None:
            return self._iq.handle(self.context, stanza, "account")
        self.bounce(stanza, StanzaError(Condition.SERVICE_UNAVAILABLE))
        return None

    def _deliver_presence(self, account: LocalAccount | None, stanza: Stanza) -> Settled:
        if stanza.type == "probe":
            self._presence.answer_probe(account, stanza)
        elif account is None:
            pass  # RFC 6121 section 8.5.1: silently ignored
        elif stanza.type in TYPES:
            return self.subscriptions.inbound(account, stanza)
        else:
            self._presence.receive(account, stanza)
        return None

    def bounce(self, stanza: Stanza, error: StanzaError) -> None:
        """Answer a stanza with an error, unless it is one itself."""
        self.tracer.record(Event.BOUNCED, stanza, str(error))
        if stanza.may_be_answered_with_error and stanza.from_ is not None:
            self.route(stanza.error(error))

    # --- modules

    def _keep(self, account: LocalAccount, stanza: Stanza) -> Deferred[bool]:
        return self._run_hook("store", account, stanza)

    def _run_hook(self, hook: Hook, account: LocalAccount, about: object) -> Deferred[bool]:
        return Deferred.fromCoroutine(self._ask_hook(hook, account, about))

    async def _ask_hook(self, hook: Hook, account: LocalAccount, about: object) -> bool:
        for handler in self.host.hook(hook):
            if await handler(self.context, account, about):
                return True
        return False

    # --- accounts

    async def remove_account(self, localpart: str) -> bool:
        """Forget an account: its sessions end, its contacts are told, all its data goes (XEP-0077 section 3.2)."""
        account = await self.accounts.load(localpart)
        if account is None:
            return False
        for session in [*account.sessions.values()]:
            session.end(StreamCondition.NOT_AUTHORIZED, "the account was removed")
        for contact in [*account.roster]:
            self.subscriptions.remove(account, contact)
        await self._store.offline.delete(localpart)
        await self._store.rosters.delete(localpart)
        await self._store.accounts.delete(localpart)
        self.accounts.forget(localpart)
        return True

    def _probe_id(self, stanza: Stanza) -> str:
        probe = stanza.tree.find(f"{{{PROBE}}}probe")
        return (probe.get("id") or "")[:64] if probe is not None else ""
