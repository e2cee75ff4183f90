"""All that a module sees of the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred

from cluster.base.clock import Clock
from cluster.base.rate import RateLimit
from cluster.base.settled import Settled
from cluster.host.module import Module
from cluster.host.module_host import ModuleHost
from cluster.server.credentials import Credentials
from cluster.server.im.accounts import Accounts
from cluster.server.im.presence import Presence
from cluster.server.im.subscriptions import Subscriptions
from cluster.server.questions import Questions
from cluster.server.sessions.session import Session
from cluster.store.limits import Limits
from cluster.store.port import Store
from cluster.trace.hop import Tracer
from cluster.xmpp.copies import Copies
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza


@dataclass(frozen=True)
class ModuleContext:
    """One domain, as its modules see it."""

    domain: str
    services: tuple[str, ...]
    """Domains of its specialized services (RFC 6120 section 10.5): external components (XEP-0114), and hosted ones."""
    realm: frozenset[str]
    """The domainparts that are its own: see `router.realm`."""
    registration: bool
    """Anybody may create an account (XEP-0077)."""
    registrations: RateLimit
    """How often one address may try to create an account."""
    password_changes: RateLimit
    """How often one account may change its password."""
    probes: RateLimit
    """How often one account may have a stanza followed (see xmpp/extensions/probe.py)."""
    strict: bool
    """Refuse what old clients do and the RFCs forbid."""
    admin: str
    """The operator's address; empty if the topology gives none."""
    limits: Limits
    """The limits of what is stored for one account."""
    store: Store
    accounts: Accounts
    credentials: Credentials
    subscriptions: Subscriptions
    presence: Presence
    host: ServerHost
    tracer: Tracer
    route: Callable[[Stanza | Copies], Settled]
    """Send a stanza of the server itself, or one for many."""
    new_id: Callable[[], str]
    now_utc_s: Callable[[], float]
    uptime_s: Callable[[], float]
    """How long the server runs."""
    questions: Questions
    """Requests in the name of accounts."""
    remove_account: Callable[[str, Callable[[], object]], Deferred[bool]]
    """Forget an account and all that belongs to it, and tell its contacts; False where there is none. The function is
    called when it is final, before the account's sessions end."""
    clock: Clock
    state: dict[Any, Any] = field(default_factory=dict)
    """What modules keep in memory for the domain; read it through their `MemoryState`."""

    def session(self, jid: Jid | None) -> Session | None:
        """The session of a full JID of this domain."""
        if jid is None or jid.domainpart != self.domain:
            return None
        account = self.accounts.online.get(jid.localpart)
        return account.sessions.get(jid.resourcepart) if account else None


ServerModule = Module[ModuleContext]
ServerHost = ModuleHost[ModuleContext]
