"""The hooks of modules for presence: called at once, in the order of the modules' names, and only if registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

from cluster.base.settled import Settled, both
from cluster.server.im.accounts import LocalAccount
from cluster.server.sessions.session import Session
from cluster.store.port import RosterItem
from cluster.xmpp.jid import Jid
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from cluster.server.context import ModuleContext, ServerHost

_log = Logger()


class PresenceHooks:
    """The hooks `leaving`, `sent`, `received`, `gone`, `shown` and `regrouped` of one domain; see host/module.py."""

    def __init__(self, host: ServerHost, ctx: Callable[[], ModuleContext]) -> None:
        self._ctx = ctx
        self._leaving = host.presence_hook("leaving")
        self._sent = host.presence_hook("sent")
        self._received = host.presence_hook("received")
        self._gone = host.presence_hook("gone")
        self._shown = host.presence_hook("shown")
        self._regrouped = host.presence_hook("regrouped")
        self._filters = host.presence_filters()

    def leaving(self, session: Session, stanza: Stanza) -> Stanza:
        """A session of ours sends available presence: as it is to be sent."""
        for handler in self._leaving:
            stanza = handler(self._ctx(), session, stanza)
        return stanza

    def sent(self, session: Session, stanza: Stanza) -> Settled:
        """A session of this domain broadcast available presence."""
        return self._run(self._sent, session, stanza) if self._sent else None

    def concerns(self, stanza: Stanza, is_alone: bool) -> bool:
        """A module needs presence for an account, even if no session of the account could see it."""
        return any(wants(self._ctx(), stanza, is_alone) for wants in self._filters)

    def received(self, account: LocalAccount, stanza: Stanza) -> Settled:
        """Available presence arrived for an account."""
        return self._run(self._received, account, stanza) if self._received else None

    def gone(self, account: LocalAccount, stanza: Stanza) -> Settled:
        """A session of the account, or somebody whom the account may see, is not available any more."""
        return self._run(self._gone, account, stanza) if self._gone else None

    def shown(self, account: LocalAccount, contact: Jid) -> Settled:
        """A contact may see the account from now on."""
        return self._run(self._shown, account, contact) if self._shown else None

    def regrouped(self, account: LocalAccount, before: RosterItem) -> Settled:
        """A contact is in other groups of the roster than before."""
        return self._run(self._regrouped, account, before) if self._regrouped else None

    def _run(
        self,
        handlers: tuple[Callable[..., Settled], ...],
        about: Session | LocalAccount,
        what: Stanza | Jid | RosterItem,
    ) -> Settled:
        """Call the handlers; one that fails affects neither the others nor the presence itself."""
        settled: Settled = None
        for handler in handlers:
            try:
                settled = both(settled, handler(self._ctx(), about, what))
            except Exception:
                sender = what.from_ if isinstance(what, Stanza) else what
                _log.failure("A module failed at the presence of {sender}", sender=str(sender))
        return settled
