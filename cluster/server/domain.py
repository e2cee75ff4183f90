"""One domain: its accounts, their sessions, and the context of its modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from cluster.base.rate import RateLimit
from cluster.base.settled import Settled
from cluster.base.storage import log_failed
from cluster.host import iq
from cluster.server.account_removal import remove
from cluster.server.config import Ports, ServerConfig
from cluster.server.context import ModuleContext, ServerHost
from cluster.server.credentials import PASSWORD_CHANGES_PER_MINUTE, Credentials
from cluster.server.im.account_delivery import AccountDelivery
from cluster.server.im.accounts import Accounts, LocalAccount
from cluster.server.im.delivery import Came, MessageDelivery
from cluster.server.im.message_hooks import MessageHooks
from cluster.server.im.presence import Presence
from cluster.server.im.presence_hooks import PresenceHooks
from cluster.server.im.subscriptions import Subscriptions
from cluster.server.ingress import Ingress
from cluster.server.nodes.frames import Remove
from cluster.server.questions import Questions
from cluster.server.routing import Routing
from cluster.server.sessions.hibernation import Hibernation
from cluster.server.sessions.persistence import SessionPersister
from cluster.server.sessions.recovery import RecoveredSession, restore
from cluster.server.sessions.session import Session
from cluster.server.tokens import Tokens

_log = Logger()


class Domain:
    """The accounts of one domain at this node, and their sessions from beginning to end."""

    def __init__(self, config: ServerConfig, ports: Ports, routing: Routing) -> None:
        self.name = config.domain
        self.routing = routing
        self.tracer = ports.tracer
        self._nodes = ports.nodes
        self._store = ports.store
        self._clock = ports.clock
        self.host = ServerHost(config.modules)
        self.credentials = Credentials(ports.store.accounts, ports.store.secrets, ports.derive, ports.new_salt)
        self.tokens = Tokens(ports.store.accounts, ports.store.tokens, ports.new_id, ports.now_utc_s)
        self.accounts = Accounts(config.domain, ports.store, config.limits, self.host.documents, self._complete)
        self.persister = SessionPersister(ports.store.sessions, ports.turn, ports.clock, ports.now_utc_s)
        hooks_of_presence = PresenceHooks(self.host, lambda: self.context)
        self._presence = Presence(routing.route, ports.new_id, ports.now_utc_s, hooks_of_presence)
        self._subscriptions = Subscriptions(self.accounts, self._presence, routing.route, ports.new_id)
        self.context = self._context(config, ports)
        hooks = MessageHooks(self.context)
        requests = iq.IqDispatch(self.host, routing.route, self.context.questions.answered, routing.bounce)
        self._messages = MessageDelivery(self.context, routing.bounce, ports.tracer, hooks)
        self.delivery = AccountDelivery(self.context, self._messages, requests, ports, routing)
        self.ingress = Ingress(
            self.context,
            requests,
            hooks,
            ports.tracer,
            routing.too_large,
            routing.bounce,
            ports.clock,
            routing.id_of_sent,
            frozenset((config.domain, *config.components, *config.components_at)),
        )

    def _context(self, config: ServerConfig, ports: Ports) -> ModuleContext:
        steady = ports.clock.seconds
        started_s = steady()
        return ModuleContext(
            domain=config.domain, services=config.specialized, realm=frozenset((config.domain, *config.specialized)),
            registration=config.registration, strict=config.strict, admin=config.admin, limits=config.limits,
            registrations=RateLimit.per_minute(config.registrations_per_minute, steady),
            password_changes=RateLimit.per_minute(PASSWORD_CHANGES_PER_MINUTE, steady),
            probes=RateLimit.per_minute(config.probes_per_minute, steady),
            store=ports.store, new_id=ports.new_id, now_utc_s=ports.now_utc_s, uptime_s=lambda: steady() - started_s,
            accounts=self.accounts, credentials=self.credentials, subscriptions=self._subscriptions,
            presence=self._presence, host=self.host, tracer=ports.tracer, route=self.routing.route,
            questions=Questions(self.routing.route, ports.new_id, ports.clock),
            remove_account=lambda localpart, removed: Deferred.fromCoroutine(self.remove_account(localpart, removed)),
            clock=ports.clock,
        )  # fmt: skip

    async def _complete(self, account: LocalAccount, documents: Sequence[bytes | None]) -> None:
        """Let the modules add their state to an account that was loaded."""
        await self.host.load(self.context, account, documents)

    # --- sessions

    def hibernate(self, session: Session) -> None:
        """The session has no stream, and waits for its client (XEP-0198 section 5)."""
        Hibernation(session, self.persister, self._clock, self.session_gone)

    def session_gone(self, session: Session) -> None:
        """The session has ended: its contacts are told, and its undelivered stanzas go elsewhere."""
        self._presence.leave(session)
        self.accounts.detach(session)
        self.persister.gone(session)
        if not (session.account.temporary or session.account.is_removed):
            told = self.host.run("gone", self.context, session.account, session)
            told.addErrback(partial(log_failed, _log, "Telling modules of a session's end"))
        elsewhere: list[Deferred[Any]] = []
        unsent, came = session.take_unsent(), Came.AGAIN
        if session.is_behind and not session.account.best():  # newer ones wait in the store already
            unsent, came = unsent[::-1], Came.AGAIN_FIRST
        for stanza in unsent:
            settled: Settled = None
            if stanza.kind == "message":
                settled = self._messages.redeliver(session.account, stanza, came)
            elif stanza.kind == "iq":
                settled = self.delivery.deliver(stanza, "")
            if settled is not None:
                elsewhere.append(settled.addErrback(self.routing.not_delivered, stanza))
        forgotten = DeferredList(elsewhere).addCallback(lambda _: self.persister.forget(session))
        forgotten.addCallback(lambda _: self._nodes.release(session.jid.localpart))

    async def restore(self, localpart: str) -> None:
        """The process that had the account is gone: its sessions that can be resumed continue here.

        Stanzas that the process was sent and had not delivered reach these sessions now; all others wait for `adopt`.
        """
        states = self.host.session_states
        for session in await restore(localpart, self.accounts, self._store.sessions, self.persister, states):
            self._nodes.claim_again(localpart)  # until its end; see `session_gone`
            if not session.is_bound:
                self.session_gone(session)
                continue
            self.hibernate(session)
            if session.accepting_messages:  # messages for the account from before the recovery
                await self.host.run("available", self.context, session.account, session)

    async def adopt(self, localpart: str) -> None:
        """Serve the restored account like any other. Contacts who could see its former sessions are told that those are
        gone."""
        account = await self.accounts.load(localpart)
        if account is None:
            return
        self.accounts.show(account)
        if not account.available:
            self._presence.absent(account)
        for session in [*account.sessions.values()]:
            if isinstance(session, RecoveredSession):
                await self.host.run("restored", self.context, account, session)

    # --- accounts

    async def remove_account(self, localpart: str, removed: Callable[[], object] = lambda: None) -> bool:
        """Remove an account: its data, its sessions, and its contacts are told (XEP-0077 section 3.2).

        False if it does not exist. `removed` is called when the removal is final, before its sessions end; not if the
        account is at another node.
        """
        node = await self._nodes.claim(localpart)
        if node != self._nodes.name:
            self._nodes.send(node, Remove(localpart))
            return True
        try:
            account = await self.accounts.load(localpart)
            if account is not None:
                await remove(account, self.accounts, self._store.accounts, self._subscriptions, removed)
            return account is not None
        finally:
            self._nodes.release(localpart)
