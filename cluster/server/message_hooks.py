"""What modules do with messages on their way: called at once, in the order of the modules' names, and only if there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cluster.redisio.written import Written
from cluster.router.port import Settled
from cluster.server.accounts import LocalAccount
from cluster.server.module import ModuleHost
from cluster.server.session import Session
from cluster.xmpp.stanza import Stanza

if TYPE_CHECKING:
    from cluster.server.context import ModuleContext


class MessageHooks:
    """The hooks `sent`, `arriving` and `delivered` of one domain; see module.py."""

    def __init__(self, host: ModuleHost) -> None:
        self.ctx: ModuleContext
        """Set before the first message."""
        self._sent = host.message_hook("sent")
        self._arriving = host.message_hook("arriving")
        self._delivered = host.message_hook("delivered")

    def sent(self, session: Session, stanza: Stanza) -> Settled:
        """A session of ours sent this, and it is on its way. Settles when what is kept of it is safe."""
        settled: Settled = None
        copy = stanza
        for handler in self._sent:
            copy, kept = handler(self.ctx, session, copy)
            if kept is not None:
                settled = both(settled, kept)
        return settled

    def arriving(self, account: LocalAccount, stanza: Stanza) -> Stanza:
        """The message as the account is to have it."""
        for handler in self._arriving:
            stanza = handler(self.ctx, account, stanza)
        return stanza

    def delivered(self, account: LocalAccount, stanza: Stanza, sessions: Sequence[Session]) -> Settled:
        """The account has it: these sessions, or none where it is kept for later."""
        settled: Settled = None
        for handler in self._delivered:
            kept = handler(self.ctx, account, stanza, sessions)
            if kept is not None:
                settled = both(settled, kept)
        return settled


class Both(Written):
    """Fires when both have; fails as soon and as the first of them does."""

    def __init__(self, one: Deferred[Any], other: Deferred[Any]) -> None:
        super().__init__()
        self.parts = one, other
        self._left = len(self.parts)
        for part in self.parts:
            part.addCallbacks(self._on_fired, self._on_failed)

    def _on_fired(self, result: Any) -> Any:
        self._left -= 1
        if not self._left:
            self.callback(None)
        return result

    def _on_failed(self, failure: Failure) -> None:
        if not self.called:
            self.errback(failure)


def both(one: Settled, other: Settled) -> Settled:
    """Settles when both have; fails as soon and as the first of them does."""
    if one is None or other is None:
        return other if one is None else one
    return Both(one, other)
